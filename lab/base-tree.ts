import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alone } from './alone.ts'
import { CACHE } from './place.ts'
import { run } from './shell.ts'

const SUITE = 'bookworm'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * On top of what Debian calls essential (perl-base, tar, util-linux, …). No compilers, no npm: nothing is built on a host.
 * No libpam-systemd, which would start a second systemd for every login.
 */
const PACKAGES = [
  'systemd systemd-sysv dbus openssh-server sudo iproute2 procps ca-certificates',
  'nginx-light logrotate rsync curl nodejs python3 python3-venv',
].flatMap((line) => line.split(' '))

/** A host is thrown away before anybody reads its manual; and the tree counts only when it is whole. */
const DPKG = [
  'force-unsafe-io',
  ...['doc', 'man', 'locale', 'info'].map((folder) => `path-exclude=/usr/share/${folder}/*`),
]

/** Makes of Debian the bare server that a person rents: one sudo user with a key, nothing of Drover's. */
const CONFIGURE = `set -eu
useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/admin
rm -f /etc/ssh/ssh_host_* /etc/dpkg/dpkg.cfg.d/99mmdebstrap
printf 'PasswordAuthentication no\\nUseDNS no\\n' >/etc/ssh/sshd_config.d/lab.conf
: >/etc/machine-id
rm -f /etc/resolv.conf; : >/etc/resolv.conf
systemctl enable -q ssh nginx
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \\
  getty.target console-getty.service dev-hugepages.mount sys-fs-fuse-connections.mount \\
  systemd-update-utmp.service systemd-update-utmp-runlevel.service
`

/**
 * The tree that every host starts from. Its name says how it was made, so that another recipe gives another tree and
 * hosts that still run on the old one keep it.
 */
export function baseTree(): string {
  const recipe = createHash('sha256')
    .update([SUITE, ...PACKAGES, ...DPKG, CONFIGURE].join('\n'))
    .digest('hex')
  return join(CACHE, 'base', recipe.slice(0, 12))
}

/** Builds the tree unless it is there: a minute, some 100 MB from Debian's mirror, and 310 MB of disk. */
export async function buildBaseTree(say: (line: string) => void): Promise<void> {
  if (existsSync(baseTree())) return
  await alone('base', async () => {
    if (existsSync(baseTree())) return
    const start = Date.now()
    say(`building the lab's base tree (Debian ${SUITE}, about a minute, once for this checkout) …`)
    await mkdir(join(CACHE, 'base'), { recursive: true })
    await removeUnfinished()
    await build(`${baseTree()}${UNFINISHED}`)
    say(`the base tree is ready after ${Math.round((Date.now() - start) / 1000)} s, in ${baseTree()}`)
  })
}

const UNFINISHED = '.unfinished'

/** With all its children and mounts, or the next one that builds would find it at work in its folder. */
const ENDING_WITH_US = '--pdeathsig KILL unshare --pid --fork --kill-child --mount-proc'.split(' ')

/** mmdebstrap makes of apt what debootstrap makes of shell, in a third of the time. */
async function build(tree: string): Promise<void> {
  try {
    const options = [
      '--quiet',
      '--mode=root',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      '--aptopt=Acquire::Retries "3"',
      ...DPKG.map((option) => `--dpkgopt=${option}`),
    ]
    await run('setpriv', [...ENDING_WITH_US, 'mmdebstrap', ...options, SUITE, tree, ...(await ownMirror())])
    await writeFile(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n')
    await run('chroot', [tree, '/bin/sh', '-c', CONFIGURE])
    // dpkg synced nothing, and a name that says "finished" must not outlive a crash of this machine without its files.
    await run('sync', ['--file-system', tree])
    await rename(tree, baseTree())
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

/** The mirror of Debian that this machine's apt has; without one (on Ubuntu) it is mmdebstrap's own choice. */
async function ownMirror(): Promise<string[]> {
  const format = '$(CREATED_BY) $(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)'
  const targets = await run('apt-get', ['indextargets', '--format', format])
  const mirror = /^Packages Debian Debian main (\S+)$/m.exec(targets)?.[1]
  return mirror === undefined ? [] : [`deb [signed-by=${KEYRING}] ${mirror} ${SUITE} main`]
}

async function removeUnfinished(): Promise<void> {
  for (const name of await readdir(join(CACHE, 'base'))) {
    if (name.endsWith(UNFINISHED)) await rm(join(CACHE, 'base', name), { recursive: true, force: true })
  }
}

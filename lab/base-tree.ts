import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE } from './place.ts'
import { run } from './shell.ts'

const SUITE = 'bookworm'
const MIRROR = 'http://deb.debian.org/debian'
const PACKAGES =
  'systemd,systemd-sysv,dbus,openssh-server,sudo,nginx-light,iproute2,rsync,nodejs,python3,ca-certificates,procps'

/** Makes of Debian the bare server that a person rents: one sudo user with a key, nothing of Drover's. */
const CONFIGURE = `set -eu
useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/admin
rm -f /etc/ssh/ssh_host_*
printf 'PasswordAuthentication no\\nUseDNS no\\n' >/etc/ssh/sshd_config.d/lab.conf
: >/etc/machine-id
rm -f /etc/resolv.conf; : >/etc/resolv.conf
systemctl enable -q ssh nginx
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer getty.target console-getty.service
apt-get clean
`

/**
 * The tree that every host starts from. Its name says how it was made, so that another recipe gives another tree and
 * hosts that still run on the old one keep it.
 */
export function baseTree(): string {
  const recipe = createHash('sha256').update([SUITE, PACKAGES, CONFIGURE].join('\n')).digest('hex')
  return join(CACHE, 'base', recipe.slice(0, 12))
}

/** Builds the tree unless it is there, which takes a minute or two and some 350 MB from Debian's mirror. */
export async function buildBaseTree(say: (line: string) => void): Promise<void> {
  const tree = baseTree()
  if (existsSync(tree)) return
  await mkdir(join(CACHE, 'base'), { recursive: true })
  await sweepUnfinished()
  const unfinished = `${tree}.building-${process.pid}`
  try {
    say(`building the lab's base tree with debootstrap (${SUITE}), once for all labs …`)
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, SUITE, unfinished, MIRROR])
    say('configuring it …')
    await writeFile(join(unfinished, 'etc/hosts'), '127.0.0.1 localhost\n')
    await run('chroot', [unfinished, '/bin/sh', '-c', CONFIGURE])
    await publish(unfinished, tree)
    say(`the base tree is ready in ${tree}`)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** Another process may have been faster; its tree is as good. */
async function publish(unfinished: string, tree: string): Promise<void> {
  await rename(unfinished, tree).catch((error: unknown) => {
    if (!existsSync(tree)) throw error
  })
}

async function sweepUnfinished(): Promise<void> {
  for (const name of await readdir(join(CACHE, 'base'))) {
    const builder = /\.building-(\d+)$/.exec(name)?.[1]
    if (builder !== undefined && !existsSync(`/proc/${builder}`)) {
      await rm(join(CACHE, 'base', name), { recursive: true, force: true })
    }
  }
}

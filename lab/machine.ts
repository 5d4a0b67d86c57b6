import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beside, commandIn, killGroup, processesIn, startIn } from './cgroup.ts'
import { formatDisk, isMounted, mountDisk, rootOf, stopDisk, unmountDisk } from './disk.ts'
import { giveAddress } from './network.ts'
import type { HostPlace } from './place.ts'
import { attempt, run, until } from './shell.ts'

/**
 * What `--boot` starts, after a step that it has no room for: where the controllers are still cgroup v1, nspawn mounts
 * them read-only, and limits of memory and CPU in a unit would do nothing.
 */
const INIT = `for controller in memory cpu cpuacct pids; do
  mount -o remount,bind,rw "/sys/fs/cgroup/$controller" 2>/dev/null
done
exec /lib/systemd/systemd`

/**
 * nspawn starts where the disks of other hosts are not mounted, of this checkout or another. A copy of such a mount would
 * keep the other's file system alive through a cut of its power.
 */
const APART = `own=$1; shift
while read -r _ folder _; do
  case $folder in "$own"/*) ;; */.cache/lab/run/*) umount -l "$folder" ;; esac
done </proc/self/mounts
`

/** With this nspawn says that the host wants to be booted again (EXIT_FORCE_RESTART); it is for others to do it. */
const POWER = `again=133
while [ "$again" = 133 ]; do "$@"; again=$?; done`

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Where nspawn keeps a folder for each machine, and leaves it behind. */
const PROPAGATE = '/run/systemd/nspawn/propagate'

/** May do everything by sudo, without a password. */
export const USER = 'admin'

export const identityOf = (host: HostPlace): string => join(host.folder, 'id_ed25519')
export const knownHostsOf = (host: HostPlace): string => join(host.folder, 'known_hosts')
/** Apart from the host's own group, in which cgroup v2 wants no process beside nspawn's own groups. */
const powerOf = (host: HostPlace): string => `${host.id}-power`
const hostKeyOf = (host: HostPlace): string => join(host.folder, 'ssh_host_ed25519_key')

/** Keys of the host and of its user; they outlive a reset, as a provider's image keeps what it is told to. */
export async function makeKeys(host: HostPlace): Promise<void> {
  await mkdir(host.folder, { recursive: true })
  for (const [path, comment] of [
    [hostKeyOf(host), host.name],
    [identityOf(host), USER],
  ] as const) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path])
  }
  const publicKey = (await readFile(`${hostKeyOf(host)}.pub`, 'utf8')).trim()
  await writeFile(knownHostsOf(host), `${host.address} ${publicKey}\n`)
}

/** A new disk with nothing on it but what makes this host itself: name, machine id, keys. */
export async function installMachine(host: HostPlace): Promise<void> {
  await formatDisk(host)
  await mountDisk(host)
  const root = rootOf(host)
  await writeFile(join(root, 'etc/hostname'), `${host.name}\n`)
  await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${host.name}\n`)
  await writeFile(join(root, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`)
  const hostKey = join(root, 'etc/ssh/ssh_host_ed25519_key')
  await writeFile(hostKey, await readFile(hostKeyOf(host)), { mode: 0o600 })
  await writeFile(`${hostKey}.pub`, await readFile(`${hostKeyOf(host)}.pub`))
  await authorize(host)
  await unmountDisk(host)
}

async function authorize(host: HostPlace): Promise<void> {
  const home = join(rootOf(host), 'home', USER)
  const { uid, gid } = await stat(home)
  const folder = join(home, '.ssh')
  const keys = join(folder, 'authorized_keys')
  await mkdir(folder)
  await writeFile(keys, await readFile(`${identityOf(host)}.pub`))
  await chmod(folder, 0o700)
  await chmod(keys, 0o600)
  for (const path of [folder, keys]) await chown(path, uid, gid)
}

/** Boots the host from its disk and waits until its systemd has started everything. */
export async function boot(host: HostPlace): Promise<void> {
  // What is left of a host that switched itself off.
  await removeMachine(host)
  await mountDisk(host)
  await giveAddress(host)
  const power = ['unshare', '--mount', '--propagation=private', '/bin/sh', '-c', `${APART}${POWER}`, 'sh']
  const machine = await commandIn(host.id, nspawn(host))
  await startIn(powerOf(host), join(host.folder, 'console.log'), [...power, host.folder, ...machine])
  await untilBooted(host)
}

function nspawn(host: HostPlace): string[] {
  return [
    'systemd-nspawn',
    '--quiet',
    '--kill-signal=SIGRTMIN+3',
    '--register=no',
    '--keep-unit',
    '--private-users=no',
    '--console=pipe',
    '--link-journal=no',
    '--resolv-conf=off',
    '--timezone=off',
    '--capability=CAP_NET_ADMIN',
    `--network-namespace-path=/run/netns/${host.id}`,
    `--machine=${host.id}`,
    `--hostname=${host.name}`,
    `--directory=${rootOf(host)}`,
    '/bin/sh',
    '-c',
    INIT,
  ]
}

async function untilBooted(host: HostPlace, before?: number): Promise<void> {
  await until(`${host.name} to boot (its console is in ${host.folder}/console.log)`, 120, () => hasBooted(host, before))
}

/** Shuts the host down in good order and boots it again, as its own `systemctl reboot` does. */
export async function reboot(host: HostPlace): Promise<void> {
  const before = await initOf(host)
  // A signal, see systemd(1): systemctl needs a bus, which somebody may have broken.
  await runInside(host, ['kill', '-s', 'RTMIN+5', '1'])
  await untilBooted(host, before)
}

/** Ends the host as a cut of the power does: at once, and what was not synced is lost. */
export async function stopAtOnce(host: HostPlace): Promise<void> {
  await stopDisk(host)
  await removeMachine(host)
}

/** Takes away whatever there is of a running host; its disk stays as a file. */
export async function removeMachine(host: HostPlace): Promise<void> {
  await killGroup(powerOf(host))
  await killGroup(host.id)
  await unmountDisk(host)
  await rm(join(PROPAGATE, host.id), { recursive: true, force: true })
}

export async function isOn(host: HostPlace): Promise<boolean> {
  return (await isMounted(host)) && (await processesIn(host.id)).length > 0
}

/** Runs a program on the host as root, past its network. */
export async function runInside(host: HostPlace, command: readonly string[]): Promise<string> {
  const init = await initOf(host)
  if (init === undefined) throw new Error(`${host.name} is off`)
  const [program, ...args] = await inside(host, init, command)
  return run(program, args).catch((error: Error & { readonly stderr?: string }) => {
    throw new Error(`${host.name}: ${command.join(' ')}: ${error.stderr?.trim() || error.message}`)
  })
}

/** The command in every namespace of the host's process 1, with an environment of the host's and not of ours. */
async function inside(host: HostPlace, init: number, command: readonly string[]): Promise<[string, ...string[]]> {
  const clean = ['env', '-i', `PATH=${PATH}`, 'HOME=/root', 'LANG=C.UTF-8']
  return beside(init, host.id, ['nsenter', '--target', String(init), '--all', '--', ...clean, ...command])
}

/** Whether all of it has started, as another process 1 than the one `before`. */
async function hasBooted(host: HostPlace, before?: number): Promise<boolean> {
  const init = await initOf(host)
  if (init === undefined || init === before) return false
  // Its exit code is 1 for "degraded", which is as booted as a host gets, and for a systemd that does not answer yet.
  const ask = 'case $(systemctl is-system-running --wait) in running | degraded) ;; *) exit 1 ;; esac'
  const [program, ...args] = await inside(host, init, ['/bin/sh', '-c', ask])
  return attempt(program, args)
}

/** The host's process 1, as this machine counts. */
async function initOf(host: HostPlace): Promise<number | undefined> {
  for (const pid of await processesIn(host.id)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const isInit = /^NSpid:\s+\d+\s+1$/m.test(status) && /^Name:\s+systemd$/m.test(status)
    if (isInit) return pid
  }
  return undefined
}

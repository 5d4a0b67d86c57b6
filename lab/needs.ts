import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { run } from './shell.ts'

/** Programs that the lab starts, each with its Debian package. */
const PROGRAMS = {
  'systemd-nspawn': 'systemd-container',
  mmdebstrap: 'mmdebstrap',
  ip: 'iproute2',
  bridge: 'iproute2',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  losetup: 'mount',
  fallocate: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  python3: 'python3',
} as const

/** Why the lab cannot run on this machine, one sentence each; empty when it can. */
export async function whatIsMissing(): Promise<string[]> {
  if (process.platform !== 'linux') return [`it boots Linux hosts and this is ${process.platform}`]
  if (process.getuid?.() !== 0) return ['it needs root, to mount, to make namespaces and to boot a systemd']
  const missing = Object.entries(PROGRAMS)
    .filter(([program]) => !isInstalled(program))
    .map(([program, name]) => `${program} is not installed (Debian package ${name})`)
  if (!(await readFile('/proc/filesystems', 'utf8')).includes('\toverlay')) missing.push('the kernel has no overlayfs')
  if (!existsSync('/dev/loop-control')) missing.push('the kernel has no loop devices')
  if (missing.length === 0) missing.push(...(await whatIsForbidden()))
  return missing
}

/**
 * For the `skip` of a test that opens a lab: why it is left out on this machine, or false. Where DROVER_LAB=required
 * nothing is left out: there openLab refuses, and the test fails.
 */
export async function labSkip(): Promise<string | false> {
  if (process.env['DROVER_LAB'] === 'required') return false
  return (await whatIsMissing()).length > 0 ? 'the lab cannot run here' : false
}

/** A container may be root and still be refused; trying is the only way to know. */
async function whatIsForbidden(): Promise<string[]> {
  const tried = ['--mount', '--net', 'sh', '-c', 'mount -t tmpfs none /mnt && ip link add dlabtry type bridge']
  return run('unshare', tried).then(
    () => [],
    (error: Error) => [`root may not mount and make bridges here (${error.message.trim().split('\n').at(-1)})`],
  )
}

function isInstalled(program: string): boolean {
  return ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) =>
    existsSync(`${folder}/${program}`),
  )
}

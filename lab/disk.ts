import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { baseTree } from './base-tree.ts'
import type { HostPlace } from './place.ts'
import { run, until } from './shell.ts'

/** A sparse file: a host pays for what it writes. */
const DISK_BYTES = 8 * 1024 ** 3

/** FS_IOC_SHUTDOWN with "do not flush the log": from here on the file system loses what was not synced. */
const SHUT_DOWN = `import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))`

const imageOf = (host: HostPlace): string => join(host.folder, 'disk.img')
const diskOf = (host: HostPlace): string => join(host.folder, 'disk')
const ballastOf = (host: HostPlace): string => join(host.folder, 'disk/ballast')

/** The host's tree as this machine sees it. */
export function rootOf(host: HostPlace): string {
  return join(host.folder, 'root')
}

/** A new, empty disk instead of the one there was. Must not be mounted. */
export async function formatDisk(host: HostPlace): Promise<void> {
  await mkdir(host.folder, { recursive: true })
  await rm(imageOf(host), { force: true })
  const image = await open(imageOf(host), 'w')
  await image.truncate(DISK_BYTES)
  await image.close()
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'nodiscard,lazy_itable_init=1', imageOf(host)])
}

/** The shared base tree with the host's own disk over it. Whatever a cut of the power broke off is replayed here. */
export async function mountDisk(host: HostPlace): Promise<void> {
  const disk = diskOf(host)
  await mkdir(disk, { recursive: true })
  await mkdir(rootOf(host), { recursive: true })
  await run('mount', ['-t', 'ext4', '-o', 'loop', imageOf(host), disk])
  for (const folder of ['upper', 'work']) await mkdir(join(disk, folder), { recursive: true })
  const lower = [...(host.layers ?? []), baseTree()].join(':')
  const layers = `lowerdir=${lower},upperdir=${disk}/upper,workdir=${disk}/work`
  await run('mount', ['-t', 'overlay', '-o', layers, 'overlay', rootOf(host)])
}

/** From here on nothing reaches the disk any more, and what was not synced is lost. */
export async function stopDisk(host: HostPlace): Promise<void> {
  if (await isMounted(host)) await run('python3', ['-c', SHUT_DOWN, diskOf(host)])
}

export async function isMounted(host: HostPlace): Promise<boolean> {
  return isMountPoint(diskOf(host))
}

/** Takes both mounts away, where they are, and waits until nothing holds the disk: mounted again it must be another. */
export async function unmountDisk(host: HostPlace): Promise<void> {
  for (const folder of [rootOf(host), diskOf(host)]) {
    if (await isMountPoint(folder)) await run('umount', [folder])
  }
  if (!existsSync(imageOf(host))) return
  await until(`${imageOf(host)} to be free`, 20, async () => (await run('losetup', ['-j', imageOf(host)])) === '')
}

/** Takes all of the disk but so many bytes. */
export async function fillDisk(host: HostPlace, leaveBytes: number): Promise<void> {
  await freeDisk(host)
  const { bavail, bsize } = await statfs(diskOf(host))
  const bytes = bavail * bsize - leaveBytes
  if (bytes > 0) await run('fallocate', ['--length', String(bytes), ballastOf(host)])
}

export async function freeDisk(host: HostPlace): Promise<void> {
  if (existsSync(ballastOf(host))) await rm(ballastOf(host))
}

/** Not `mountpoint`, which asks the file system itself: one that lost its power does not answer. */
async function isMountPoint(folder: string): Promise<boolean> {
  return (await readFile('/proc/self/mounts', 'utf8')).split('\n').some((line) => line.split(' ')[1] === folder)
}

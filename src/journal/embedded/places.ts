import { createHash } from 'node:crypto'
import { chmod, chown, mkdir, realpath, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** The user a server runs as when Drover itself is root, which PostgreSQL refuses to be: `nobody` on every Linux. */
const UNPRIVILEGED = { uid: 65534, gid: 65534 } as const

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

export interface Places {
  /** The folder Drover was given; `password` and `server.log` lie here. */
  readonly folder: string
  /** The database cluster. */
  readonly data: string
  /** The programs' copies. */
  readonly cache: string
  /** Absent: the server runs as the user that Drover runs as. */
  readonly user?: ServerUser
}

/**
 * Decides where the cluster and the programs lie, and makes those folders.
 *
 * An ordinary user's server has everything in `folder` and its programs in the user's cache. As root the server runs
 * as another user, who must be able to walk to its data: `folder` is opened for passing through (0711), and where a
 * folder above it is closed, as `/root` is, the data lies in `/var/lib/drover/<hash of folder>` instead.
 */
export async function choosePlaces(folder: string, cache?: string): Promise<Places> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const real = await realpath(folder)
  if (process.getuid?.() !== 0) {
    return { folder: real, data: join(real, 'data'), cache: cache ?? join(homedir(), '.cache', 'drover') }
  }
  await chmod(real, 0o711)
  const home = (await canBeWalked(real, UNPRIVILEGED)) ? real : await publicHome(real)
  return { folder: real, data: join(home, 'data'), cache: cache ?? '/var/cache/drover', user: UNPRIVILEGED }
}

/** Makes a folder that belongs to the server's user alone. */
export async function makePrivateFolder(path: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(path, { mode: 0o700 })
  await giveTo(path, user)
}

export async function giveTo(path: string, user: ServerUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid)
}

async function publicHome(folder: string): Promise<string> {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 12)
  const home = join('/var/lib/drover', name)
  await mkdir(home, { recursive: true, mode: 0o711 })
  // A hash tells a person nothing, least of all whether this may go.
  await writeFile(join(home, 'belongs-to'), `${folder}\n`, { mode: 0o600 })
  return realpath(home)
}

async function canBeWalked(folder: string, user: ServerUser): Promise<boolean> {
  const { mode, uid } = await stat(folder)
  const open = (mode & 0o001) !== 0 || (uid === user.uid && (mode & 0o100) !== 0)
  if (!open) return false
  const parent = dirname(folder)
  return parent === folder ? true : canBeWalked(parent, user)
}

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { errorCode } from '../../hosts/error-code.ts'
import { refusal, type Refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import type { Binaries } from './binaries.ts'
import { giveTo, makePrivateFolder, type Places } from './places.ts'
import { startRefusal } from './trouble.ts'

export const SUPERUSER = 'drover'

/** A fresh cluster takes 40 MB, its first write-ahead log 32 MB more. */
const NEEDED_BYTES = 200 * 1024 * 1024

/**
 * Makes the cluster unless it is there. It is made beside its place and renamed, so that one whose making was cut
 * off is never mistaken for a whole one; of two Drovers that do this at once the later one's is thrown away.
 */
export async function ensureCluster(places: Places, binaries: Binaries): Promise<void> {
  if (await isCluster(places.data)) return
  await refuseFullDisk(dirname(places.data))
  const password = await ensurePassword(places)
  const draft = `${places.data}.${process.pid}`
  const passwordFile = `${draft}.password`
  try {
    await makePrivateFolder(draft, places.user)
    await writeFile(passwordFile, password.open(), { mode: 0o600 })
    await giveTo(passwordFile, places.user)
    await initialize(places, binaries, ['-D', draft, `--pwfile=${passwordFile}`])
    await rename(draft, places.data).catch(async (error: unknown) => {
      if (!(await isCluster(places.data))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
    await rm(passwordFile, { force: true })
  }
}

/** The superuser's password: random, in a file that only Drover's own user can read. */
export async function readPassword(places: Places): Promise<Secret> {
  try {
    return new Secret((await readFile(join(places.folder, 'password'), 'utf8')).trim())
  } catch (cause) {
    throw refusal(
      'journal/password-lost',
      join(places.folder, 'password'),
      `cannot be read, and the database in ${places.data} cannot be opened without it`,
      `Put the file back, or remove ${places.data} to begin with an empty journal.`,
      { cause },
    )
  }
}

async function ensurePassword(places: Places): Promise<Secret> {
  try {
    const file = await open(join(places.folder, 'password'), 'wx', 0o600)
    await file.writeFile(randomBytes(24).toString('base64url'))
    await file.close()
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  return readPassword(places)
}

async function initialize(places: Places, binaries: Binaries, argv: readonly string[]): Promise<void> {
  // The C locale exists on every machine and sorts the same on each of them.
  const fixed = ['-U', SUPERUSER, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C']
  const child = spawn(binaries.initdb, [...fixed, ...argv], {
    ...places.user,
    cwd: '/',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const [code, , errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code !== 0) throw startRefusal('could not make its data folder', errors, places.data)
}

async function isCluster(data: string): Promise<boolean> {
  return stat(join(data, 'PG_VERSION')).then(
    () => true,
    () => false,
  )
}

async function refuseFullDisk(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < NEEDED_BYTES) throw diskFull(folder, bavail * bsize)
}

function diskFull(folder: string, free: number): Refusal {
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`
  return refusal(
    'journal/disk-full',
    folder,
    `has ${mebibytes(free)} free, the journal's database needs ${mebibytes(NEEDED_BYTES)}`,
    'Free some space, choose another folder, or set DATABASE_URL to a PostgreSQL elsewhere.',
  )
}

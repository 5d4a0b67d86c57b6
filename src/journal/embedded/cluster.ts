import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode } from '../../hosts/error-code.ts'
import { refusal, type Refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import { giveTo, makePrivateFolder, type Places } from './places.ts'
import { startRefusal } from './trouble.ts'

export const SUPERUSER = 'drover'

/** The C locale exists on every machine and sorts the same on each of them. */
const CLUSTER_OPTIONS = ['-U', SUPERUSER, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C']

/** Runs a program to its end, as the server's user. */
export type Program = (
  argv: readonly string[],
) => Promise<{ readonly exitCode: number | null; readonly errors: string }>

/** A fresh cluster takes 40 MB, its first write-ahead log 32 MB more. */
const NEEDED_BYTES = 200 * 1024 * 1024

/**
 * Makes the cluster unless it is there. It is made beside its place and renamed, so that one whose making was cut
 * off is never mistaken for a whole one; of two Drovers that do this at once the later one's is thrown away.
 */
export async function ensureCluster(places: Places, initdb: Program): Promise<void> {
  if (await isCluster(places.data)) return
  await refuseFullDisk(dirname(places.data))
  const password = await ensurePassword(places)
  const draft = `${places.data}.${randomBytes(4).toString('hex')}`
  const passwordFile = `${draft}.password`
  try {
    await makePrivateFolder(draft, places.user)
    await writeFile(passwordFile, password.open(), { mode: 0o600 })
    await giveTo(passwordFile, places.user)
    const { exitCode, errors } = await initdb([...CLUSTER_OPTIONS, '-D', draft, `--pwfile=${passwordFile}`])
    if (exitCode !== 0) throw startRefusal('could not make its data folder', errors, places.data)
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

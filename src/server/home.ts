import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'
import { Secret } from '../secrets/secret.ts'

/**
 * What a control plane keeps on its own machine, and where its clients find it.
 *
 *     <folder>/server.json   where it answers; there while it runs, and after a crash
 *     <folder>/token         0600, made on first use
 *     <folder>/server.log    output of a control plane that a command started
 */
export interface Home {
  readonly folder: string
  readonly address: string
  readonly token: string
  readonly log: string
}

export interface ServerAddress {
  readonly url: string
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly version: string
}

export function homeIn(folder: string): Home {
  return {
    folder,
    address: join(folder, 'server.json'),
    token: join(folder, 'token'),
    log: join(folder, 'server.log'),
  }
}

/** `DROVER_HOME`, else `/var/lib/drover` for root and the user's own data folder for everybody else. */
export function homeFolder(
  environment: Readonly<Record<string, string | undefined>>,
  user = process.getuid?.(),
): string {
  if (environment['DROVER_HOME']) return environment['DROVER_HOME']
  if (user === 0) return '/var/lib/drover'
  return join(environment['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'drover')
}

/** Makes the folder, for its owner alone, unless it is there. */
export async function prepareHome(home: Home): Promise<void> {
  try {
    await mkdir(home.folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw unusable(home, cause)
  }
}

/** Where the control plane of this home said that it answers. It may have died since. */
export async function readAddress(home: Home): Promise<ServerAddress | undefined> {
  const text = await readIfThere(home, home.address)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isAddress(value) ? value : undefined
  } catch {
    // Not written by us, or by an older version: as good as absent, the next control plane replaces it.
    return undefined
  }
}

function isAddress(value: unknown): value is ServerAddress {
  if (typeof value !== 'object' || value === null) return false
  const text =
    'url' in value && typeof value.url === 'string' && 'version' in value && typeof value.version === 'string'
  return (
    text &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startedAt' in value &&
    typeof value.startedAt === 'number'
  )
}

/** Whole or not at all, so that a reader never meets half of it. */
export async function writeAddress(home: Home, address: ServerAddress): Promise<void> {
  const draft = `${home.address}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(address)}\n`, { mode: 0o600 })
  await rename(draft, home.address)
}

export async function removeAddress(home: Home): Promise<void> {
  await rm(home.address, { force: true })
}

/** The token, or undefined before the first control plane of this home has made it. */
export async function readToken(home: Home): Promise<Secret | undefined> {
  const text = await readIfThere(home, home.token)
  return text === undefined || text.trim() === '' ? undefined : new Secret(text.trim())
}

/** The token; made of 32 random bytes on first use. A token that others can read is refused. */
export async function ensureToken(home: Home): Promise<Secret> {
  const existing = await readToken(home)
  if (existing === undefined) return makeToken(home)
  const { mode } = await stat(home.token)
  if ((mode & 0o077) !== 0) {
    throw refusal('server/token-readable', home.token, 'can be read by other users', `Run: chmod 600 ${home.token}`)
  }
  return existing
}

async function makeToken(home: Home): Promise<Secret> {
  const draft = `${home.token}.${process.pid}`
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
    // A link never replaces: of two that make it at once, one wins and both read the winner's.
    await link(draft, home.token).catch(async (cause: unknown) => {
      if (errorCode(cause) !== 'EEXIST') throw cause
      if ((await readToken(home)) === undefined) await rename(draft, home.token)
    })
  } catch (cause) {
    throw unusable(home, cause)
  } finally {
    await rm(draft, { force: true })
  }
  return (await readToken(home))!
}

/** Whether a process of this number exists, whoever owns it. */
export function processRuns(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

async function readIfThere(home: Home, file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw unusable(home, cause)
  }
}

function unusable(home: Home, cause: unknown): Error {
  const why = errorCode(cause) ?? String(cause)
  const hint = 'Is it a folder that belongs to you? DROVER_HOME names another one.'
  return refusal('server/home-unusable', home.folder, `cannot be used: ${why}`, hint, { cause })
}

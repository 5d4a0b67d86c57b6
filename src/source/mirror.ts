import { randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorCode } from '../hosts/error-code.ts'
import type { Host, Outcome } from '../hosts/host.ts'
import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import type { Secret } from '../secrets/secret.ts'
import type { Address } from './address.ts'
import { git, gitFailed, inMirror, overNetwork, saying } from './git.ts'
import type { GitCall } from './git.ts'

const FETCH_TIMEOUT_MS = 10 * 60_000
const LEFTOVER_MS = 24 * 60 * 60_000

/** Branches and tags only: a forge keeps many more refs (pull requests), which nothing is ever released from. */
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']

/** A bare copy of a repository on this machine. It holds nothing that a new fetch cannot bring back. */
export interface Mirror {
  readonly address: Address
  /** Commits that were found here since the last fetch: they are not asked for again. */
  readonly found: Set<string>
  /** Runs git on the mirror. An exit code that is not in `expected` (default: 0) makes it suspect its own copy first. */
  read(call: GitCall, expected?: readonly number[]): Promise<Outcome>
  /** Brings branches and tags up to date; what was force-pushed or deleted follows. */
  fetch(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** The full name of the server's default branch at the last fetch; undefined when it does not show plainly. */
  defaultBranch(): Promise<string | undefined>
  /** Checks the copy and gets a new one when it is damaged; true when it was. */
  heal(): Promise<boolean>
}

export interface MirrorOptions {
  readonly folder: string
  readonly address: Address
  readonly host: Host
  /** Values that must not appear in anything that is reported. */
  readonly secrets: readonly Secret[]
}

/** Opens the mirror at `folder`; makes it, with a first fetch, when there is none or it is no repository. */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const { folder, address, host } = options
  const secrets = [...options.secrets, ...Object.values(address.credentials ?? {})]
  const whole = { ...options, secrets }
  let healing: Promise<boolean> | undefined
  const mirror: Mirror = {
    address,
    found: new Set(),
    async fetch({ signal } = {}) {
      await fetchMirror(whole, signal)
      mirror.found.clear()
    },
    defaultBranch: () => ownDefault(folder),
    // Many readers meet the same damage at the same time.
    heal: () =>
      (healing ??= heal(whole).finally(() => {
        mirror.found.clear()
        healing = undefined
      })),
    async read(call, expected = [0]) {
      const first = await git(host, inMirror(folder, call), call)
      if (expected.includes(first.exitCode ?? -1)) {
        return first
      }
      // A copy that is damaged, or was replaced by another process in this moment, must not stop a release.
      await mirror.heal()
      const again = await git(host, inMirror(folder, call), call)
      if (expected.includes(again.exitCode ?? -1)) {
        return again
      }
      throw gitFailed(call, again, secrets)
    },
  }
  await mkdir(dirname(folder), { recursive: true })
  await sweep(folder)
  if (!(await isRepository(whole))) {
    await remake(whole)
  }
  return mirror
}

async function isRepository({ folder, host }: MirrorOptions): Promise<boolean> {
  const call = { argv: ['rev-parse', '--is-bare-repository'] }
  const outcome = await git(host, inMirror(folder, call), call)
  return outcome.ok && outcome.stdout.trim() === 'true'
}

/** A full check takes seconds on a large repository, and is done only after something failed that should not have. */
async function heal(options: MirrorOptions): Promise<boolean> {
  const call = { argv: ['fsck', '--no-dangling', '--no-progress'], timeoutMs: FETCH_TIMEOUT_MS }
  const outcome = await git(options.host, inMirror(options.folder, call), call)
  if (outcome.ok) {
    return false
  }
  await remake(options)
  return true
}

async function fetchMirror(options: MirrorOptions, signal: AbortSignal | undefined): Promise<void> {
  const { folder, host } = options
  const [first] = await Promise.all([fetchInto(folder, options, signal), followDefaultBranch(folder, options, signal)])
  if (first.ok) {
    return
  }
  if (!(await reachable(options, signal))) {
    throw await unreachable(options, first)
  }
  // The server answers, so it is our copy: a fetch that was killed leaves lock files. Whoever holds the flock may
  // take them away, because every fetch of this mirror runs under it.
  const clear = ['-name', '*.lock', '-type', 'f', '-delete']
  await host.run({ program: 'flock', argv: [`${folder}.lock`, 'find', folder, ...clear] })
  const second = await fetchInto(folder, options, signal)
  if (!second.ok) {
    await remake(options, signal)
  }
}

/** Processes that share a mirror fetch one after another; `flock` lets go by itself when its holder dies. */
async function fetchInto(folder: string, options: MirrorOptions, signal?: AbortSignal): Promise<Outcome> {
  const argv = [
    '-c',
    'gc.autoDetach=false',
    'fetch',
    '--force',
    '--prune',
    '--no-tags',
    '--no-write-fetch-head',
    '--quiet',
  ]
  const call = { argv: [...argv, '--', options.address.url, ...REFSPECS], signal, timeoutMs: FETCH_TIMEOUT_MS }
  const command = overNetwork(folder, options.address, call)
  const locked = { ...command, program: 'flock', argv: [`${folder}.lock`, command.program, ...command.argv] }
  return await git(options.host, locked, call)
}

/** Points HEAD at the server's default branch, which a fetch does not. It stays as it is when the server does not say. */
async function followDefaultBranch(folder: string, options: MirrorOptions, signal?: AbortSignal): Promise<void> {
  const call = { argv: ['ls-remote', '--quiet', '--symref', '--', options.address.url, 'HEAD'], signal }
  const outcome = await git(options.host, overNetwork(folder, options.address, call), call)
  const branch = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(outcome.stdout)?.[1]
  if (outcome.ok && branch !== undefined && branch !== (await ownDefault(folder))) {
    const point = { argv: ['symbolic-ref', 'HEAD', branch] }
    await git(options.host, inMirror(folder, point), point)
  }
}

async function ownDefault(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'HEAD'), 'utf8').catch(() => '')
  return /^ref: (\S+)\n$/.exec(text)?.[1]
}

async function reachable(options: MirrorOptions, signal?: AbortSignal): Promise<boolean> {
  const call = { argv: ['ls-remote', '--quiet', '--', options.address.url], signal }
  return (await git(options.host, overNetwork(options.folder, options.address, call), call)).ok
}

/** A new copy beside the old one, then two renames: a crash leaves the old one, the new one, or a leftover to sweep. */
async function remake(options: MirrorOptions, signal?: AbortSignal): Promise<void> {
  const fresh = `${options.folder}.new-${randomUUID()}`
  const old = `${options.folder}.old-${randomUUID()}`
  try {
    const init = { argv: ['init', '--bare', '--quiet'] }
    const made = await git(options.host, inMirror(fresh, init), init)
    if (!made.ok) {
      throw gitFailed(init, made, options.secrets)
    }
    const fetched = await fetchInto(fresh, options, signal)
    if (!fetched.ok) {
      throw await unreachable(options, fetched)
    }
    await followDefaultBranch(fresh, options, signal)
    await rename(options.folder, old).catch(ignoreMissing)
    await rename(fresh, options.folder).catch(async (error: unknown) => {
      // Another process has put its new copy there in between; one is as good as the other.
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
    })
  } finally {
    await Promise.all([fresh, old, `${fresh}.lock`].map((path) => rm(path, { recursive: true, force: true })))
  }
}

/** Copies that a killed process left half made; one that may still be under way is let be. */
async function sweep(folder: string): Promise<void> {
  const parent = dirname(folder)
  for (const name of await readdir(parent)) {
    const leftover = name.startsWith(`${basename(folder)}.new-`) || name.startsWith(`${basename(folder)}.old-`)
    const path = join(parent, name)
    const made = leftover ? await stat(path).catch(ignoreMissing) : undefined
    if (made !== undefined && Date.now() - made.mtimeMs > LEFTOVER_MS) {
      await rm(path, { recursive: true, force: true })
    }
  }
}

async function unreachable(options: MirrorOptions, outcome: Outcome): Promise<Refusal> {
  const { address, host, secrets } = options
  const where = `repository ${address.url}`
  if (/No space left on device|Disk quota exceeded/.test(outcome.stderr)) {
    return gitFailed({ argv: ['fetch'] }, outcome, secrets)
  }
  if (address.local) {
    const path = address.url.startsWith('file:') ? decodeURIComponent(new URL(address.url).pathname) : address.url
    const there = await host.run({ program: 'test', argv: ['-d', path] })
    if (!there.ok) {
      return refusal(
        'source/no-repository',
        where,
        'there is no such folder',
        'Is the path right, and is it on this machine?',
      )
    }
  }
  const hint = address.local
    ? `Does "git -C ${address.url} log" work for the user that Drover runs as?`
    : `Does "git ls-remote ${address.url}" work for the user that Drover runs as?`
  return refusal('source/unreachable', where, `cannot be fetched: ${saying(outcome, secrets)}`, hint)
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  throw error
}

import { join } from 'node:path'
import type { Host } from '../hosts/host.ts'
import type { Secret } from '../secrets/secret.ts'
import { mirrorName, parseAddress } from './address.ts'
import { checkout } from './checkout.ts'
import type { Commit } from './commit.ts'
import { commitView } from './commit-view.ts'
import type { CommitView } from './commit-view.ts'
import { changedFiles, contains, log } from './history.ts'
import { openMirror } from './mirror.ts'
import type { Mirror } from './mirror.ts'
import { missingCommits, requireCommits, resolve } from './resolve.ts'
import { entryAt, list, readFile, versions } from './tree.ts'
import type { TreeEntry } from './tree.ts'

export type { Commit } from './commit.ts'

const LARGEST_TEXT = 1024 * 1024
const REMEMBERED_COMMITS = 4

/**
 * A git repository, through a mirror of it on this machine. Commits are full ids, as `resolve` gives them; paths are
 * relative to the repository. Only `fetch` asks the server; everything else answers from the mirror, which gets
 * itself a new copy when it is damaged. All methods throw a Refusal for what a person can put right.
 */
export interface Repository {
  /** Without credentials. */
  readonly url: string
  fetch(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Branch, tag or commit id (abbreviated to at least 4 digits), looked for in this order; `HEAD`: the default branch. */
  resolve(ref: string): Promise<Commit>
  /** A text file of at most `maxBytes` (default 1 MiB); undefined when there is no file at that path. */
  read(commit: string, path: string, options?: { readonly maxBytes?: number }): Promise<string | undefined>
  exists(commit: string, path: string): Promise<boolean>
  /** What lies directly in a folder (`''` is the root); empty when there is no such folder. */
  list(commit: string, folder: string): Promise<TreeEntry[]>
  /** The files of a commit for the manifest, which asks much: one call of git answers all. */
  at(commit: string): CommitView
  /** Versions of paths, in one call of git: equal versions are equal content. undefined: there is nothing at that path. */
  trees(commit: string, paths: readonly string[]): Promise<Map<string, string | undefined>>
  /** Lays `paths` (default: all) in a folder that does not exist or is empty: no `.git`, modes and links kept. */
  checkout(
    commit: string,
    folder: string,
    options?: { readonly paths?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<void>
  /** Commits of `to` that `from` has not, newest first. */
  log(options: {
    readonly from?: string
    readonly to: string
    readonly paths?: readonly string[]
    readonly limit: number
  }): Promise<Commit[]>
  /** Every file that differs; a moved one at both places. */
  changedFiles(from: string, to: string): Promise<string[]>
  /** Whether `ancestor` is `commit` or part of its history. */
  contains(ancestor: string, commit: string): Promise<boolean>
  /** Whether the commit is (still) there: a force-push may have taken it away. */
  has(commit: string): Promise<boolean>
}

export interface RepositoryOptions {
  /** An absolute path, a URL or `user@host:path`. Credentials in it are used and never shown or stored. */
  readonly url: string
  /** Where mirrors are kept; one folder may hold those of many repositories. */
  readonly folder: string
  /** This machine. */
  readonly host: Host
  /** Further values that must not appear in anything that is reported. */
  readonly secrets?: readonly Secret[]
}

/** Opens a repository, making its mirror when there is none yet. A Refusal when it cannot be reached then. */
export async function openRepository({ url, folder, host, secrets = [] }: RepositoryOptions): Promise<Repository> {
  const address = parseAddress(url)
  const mirror = await openMirror({ folder: join(folder, mirrorName(address)), address, host, secrets })
  // What a commit holds never changes, and every step of a release asks.
  const views = recent((commit) => commitView(mirror, commit))
  const trees = recent((commit) => knownVersions(mirror, commit))
  return {
    url: address.url,
    fetch: (options) => mirror.fetch(options),
    resolve: (ref) => resolve(mirror, ref),
    async read(commit, path, { maxBytes = LARGEST_TEXT } = {}) {
      await requireCommits(mirror, [commit])
      return await readFile(mirror, { commit, path, maxBytes })
    },
    async exists(commit, path) {
      await requireCommits(mirror, [commit])
      return (await entryAt(mirror, commit, path)) !== undefined
    },
    async list(commit, path) {
      await requireCommits(mirror, [commit])
      return await list(mirror, commit, path)
    },
    at: views,
    async trees(commit, paths) {
      await requireCommits(mirror, [commit])
      return await trees(commit)(paths)
    },
    async checkout(commit, target, options = {}) {
      await requireCommits(mirror, [commit])
      await checkout(mirror, { commit, folder: target, ...options })
    },
    log: (options) => log(mirror, options),
    changedFiles: (from, to) => changedFiles(mirror, from, to),
    contains: (ancestor, commit) => contains(mirror, ancestor, commit),
    has: async (commit) => (await missingCommits(mirror, [commit])).length === 0,
  }
}

/** The versions of paths in a commit; git is asked for those that were not asked for before. */
function knownVersions(
  mirror: Mirror,
  commit: string,
): (paths: readonly string[]) => Promise<Map<string, string | undefined>> {
  const known = new Map<string, string | undefined>()
  return async (paths) => {
    const unknown = paths.filter((path) => !known.has(path))
    if (unknown.length > 0)
      for (const [path, version] of await versions(mirror, commit, unknown)) known.set(path, version)
    return new Map(paths.map((path) => [path, known.get(path)]))
  }
}

/** Remembers what was made for the last few commits. */
function recent<T>(make: (commit: string) => T): (commit: string) => T {
  const made = new Map<string, T>()
  return (commit) => {
    const one = made.get(commit) ?? make(commit)
    made.delete(commit)
    made.set(commit, one)
    if (made.size > REMEMBERED_COMMITS) made.delete(made.keys().next().value!)
    return one
  }
}

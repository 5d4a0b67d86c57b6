import { COMMIT_FORMAT, parseCommits } from './commit.ts'
import type { Commit } from './commit.ts'
import type { Mirror } from './mirror.ts'
import { requireCommits } from './resolve.ts'
import { repositoryPath } from './tree.ts'

export interface LogOptions {
  /** What is reachable from here is left out; absent: everything up to `to`. */
  readonly from?: string | undefined
  readonly to: string
  /** Only commits that touch one of these. */
  readonly paths?: readonly string[] | undefined
  readonly limit: number
}

/** The commits of `to` that `from` has not, newest first. */
export async function log(mirror: Mirror, { from, to, paths = [], limit }: LogOptions): Promise<Commit[]> {
  await requireCommits(mirror, from === undefined ? [to] : [from, to])
  const range = from === undefined ? to : `${from}..${to}`
  const count = `--max-count=${limit}`
  const argv = ['log', '-z', count, COMMIT_FORMAT, '--end-of-options', range, '--', ...paths.map(repositoryPath)]
  return parseCommits((await mirror.read({ argv })).stdout)
}

/** Every file that differs between two commits; a file that was moved counts at both places. */
export async function changedFiles(mirror: Mirror, from: string, to: string): Promise<string[]> {
  await requireCommits(mirror, [from, to])
  const argv = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--end-of-options', from, to]
  return (await mirror.read({ argv })).stdout.split('\0').filter((path) => path !== '')
}

/** Whether `ancestor` is part of the history of `commit`. */
export async function contains(mirror: Mirror, ancestor: string, commit: string): Promise<boolean> {
  await requireCommits(mirror, [ancestor, commit])
  const argv = ['merge-base', '--is-ancestor', '--end-of-options', ancestor, commit]
  return (await mirror.read({ argv }, [0, 1])).exitCode === 0
}

import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** Branches of a repository, its own and those of origin, read from git's files. Empty when it is no git repository. */
export async function branchesOf(root: string): Promise<string[]> {
  const folder = await gitFolder(root)
  const packed = await readFile(join(folder, 'packed-refs'), 'utf8').catch(() => '')
  const names = new Set(
    [...packed.matchAll(/^[0-9a-f]{40,64} refs\/(?:heads|remotes\/origin)\/(\S+)$/gm)].map((match) => match[1] ?? ''),
  )
  for (const place of ['refs/heads', 'refs/remotes/origin']) {
    for (const name of await readdir(join(folder, place)).catch(() => [])) names.add(name)
  }
  // A new repository has a branch before it has a commit.
  const head = await readFile(join(folder, 'HEAD'), 'utf8').catch(() => '')
  names.add(/^ref: refs\/heads\/(\S+)/.exec(head)?.[1] ?? '')
  names.delete('HEAD')
  names.delete('')
  return [...names].sort()
}

/** `.git` itself, or in a second work tree the folder that its files point to. */
async function gitFolder(root: string): Promise<string> {
  const own = join(root, '.git')
  const pointer = /^gitdir: (.+)$/m.exec(await readFile(own, 'utf8').catch(() => ''))?.[1]
  if (pointer === undefined) return own
  const folder = resolve(root, pointer)
  const common = await readFile(join(folder, 'commondir'), 'utf8').catch(() => '')
  return common === '' ? folder : resolve(folder, common.trim())
}

export interface GuessedEnvironments {
  readonly staging?: string
  readonly production: string
  /** Nothing in the repository says so. */
  readonly isGuess: boolean
}

/** `main` is staging's when there is a branch named for production, else production's. */
export function environmentsFrom(branches: readonly string[]): GuessedEnvironments {
  const trunk = ['main', 'master', 'trunk'].find((name) => branches.includes(name))
  const live = ['production', 'prod', 'live', 'release'].find((name) => branches.includes(name))
  const staging = ['staging', 'develop', 'dev'].find((name) => branches.includes(name))
  if (live !== undefined) {
    const before = staging ?? trunk
    return { production: live, isGuess: false, ...(before === undefined ? {} : { staging: before }) }
  }
  if (trunk !== undefined) return { production: trunk, isGuess: false, ...(staging === undefined ? {} : { staging }) }
  return { production: branches[0] ?? 'main', isGuess: true }
}

import { posix } from 'node:path'
import type { Mirror } from './mirror.ts'
import { requireCommits } from './resolve.ts'
import { namesByFolder, repositoryPath } from './tree.ts'

/** Which files a commit has. Paths are relative to the repository; `.` is its root. */
export interface CommitView {
  /** Whether there is a file or folder. */
  exists(path: string): Promise<boolean>
  /** Names directly in a folder; empty when there is no such folder. */
  list(folder: string): Promise<readonly string[]>
}

/**
 * The files of a commit as the manifest asks for them: many small questions, all answered from one listing, since a
 * call of git for each of 2,000 services would take seconds.
 */
export function commitView(mirror: Mirror, commit: string): CommitView {
  let listing: Promise<Map<string, string[]>> | undefined
  const folders = (): Promise<Map<string, string[]>> =>
    (listing ??= requireCommits(mirror, [commit])
      .then(() => namesByFolder(mirror, commit))
      .catch((error: unknown) => {
        listing = undefined
        throw error
      }))
  return {
    async exists(path) {
      const clean = repositoryPath(path)
      const parent = posix.dirname(clean)
      const names = (await folders()).get(parent === '.' ? '' : parent)
      return clean === '' || names?.includes(posix.basename(clean)) === true
    },
    list: async (folder) => (await folders()).get(repositoryPath(folder)) ?? [],
  }
}

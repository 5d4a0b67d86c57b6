import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal, problem, refusal } from '../problem/problem.ts'
import type { Mirror } from './mirror.ts'
import { filesBelow, repositoryPath, versions } from './tree.ts'
import type { TreeEntry } from './tree.ts'

const CHECKOUT_TIMEOUT_MS = 10 * 60_000
const POINTER = 'version https://git-lfs.github.com/spec/'
/** The specification of Git LFS: a pointer is shorter than this. */
const LARGEST_POINTER = 1024
const NAMED = 5

export interface CheckoutOptions {
  readonly commit: string
  /** Must not exist, or be empty. Removed again when the checkout fails. */
  readonly folder: string
  /** Files and folders of the repository; all of it when absent. One that does not exist is refused. */
  readonly paths?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Lays files of a commit in a folder, modes and links kept, without a `.git`. An index of its own is filled from the
 * whole commit, so that `.gitattributes` of every folder above hold; `git archive` would leave out what is marked
 * `export-ignore`.
 */
export async function checkout(mirror: Mirror, options: CheckoutOptions): Promise<void> {
  const { commit, folder, signal } = options
  const paths = options.paths?.map(repositoryPath)
  await requirePaths(mirror, commit, paths ?? [])
  const files = await filesBelow(mirror, commit, paths ?? [])
  refuseSubmodules(files)
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length > 0) {
    throw refusal('source/folder-not-empty', `folder ${folder}`, 'is not empty')
  }
  const index = `${folder}.index-${randomUUID()}`
  const env = { GIT_INDEX_FILE: index }
  try {
    await mirror.read({ argv: ['read-tree', '--end-of-options', commit], env, signal })
    const from = ['--pathspec-from-file=-', '--pathspec-file-nul']
    await mirror.read({
      argv: ['--work-tree', folder, '-c', 'checkout.workers=0', 'checkout', '--quiet', ...from],
      stdin: (paths?.map((path) => (path === '' ? '.' : path)) ?? ['.']).join('\0'),
      cwd: folder,
      env,
      signal,
      timeoutMs: CHECKOUT_TIMEOUT_MS,
    })
    await refusePointers(folder, files)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  } finally {
    await Promise.all([index, `${index}.lock`].map((path) => rm(path, { force: true })))
  }
}

async function requirePaths(mirror: Mirror, commit: string, paths: readonly string[]): Promise<void> {
  const present = await versions(mirror, commit, paths)
  const missing = paths.filter((path) => present.get(path) === undefined)
  if (missing.length > 0) {
    const at = commit.slice(0, 10)
    throw new Refusal(
      missing.map((path) =>
        problem(
          'source/missing-path',
          `path ${path}`,
          `does not exist in commit ${at}`,
          'Was it moved, or not committed?',
        ),
      ),
    )
  }
}

function refuseSubmodules(files: readonly TreeEntry[]): void {
  const submodules = files.filter((file) => file.kind === 'submodule')
  if (submodules.length > 0) {
    throw new Refusal(
      submodules.map(({ path }) =>
        problem(
          'source/submodule',
          `path ${path}`,
          'is a git submodule, whose content is not part of the commit',
          'Copy it into the repository (git subtree add), or publish it as a package that the service depends on.',
        ),
      ),
    )
  }
}

/** A pointer in place of a file would start a service on 130 bytes of text where it expects its model or image. */
async function refusePointers(folder: string, files: readonly TreeEntry[]): Promise<void> {
  const suspects = files.filter(
    (file) => file.kind === 'file' && (file.size ?? 0) > 100 && (file.size ?? 0) < LARGEST_POINTER,
  )
  const pointers: string[] = []
  for (const { path } of suspects) {
    if (await startsWith(join(folder, path), POINTER)) pointers.push(path)
  }
  if (pointers.length > 0) {
    const more = pointers.length > NAMED ? ` and ${pointers.length - NAMED} more` : ''
    throw refusal(
      'source/lfs-pointer',
      `path ${pointers.slice(0, NAMED).join(', ')}${more}`,
      'is kept in Git LFS: the commit holds a pointer, not the file',
      'Keep it out of the paths that are built, fetch it when the service starts, or store it in git (git lfs migrate export).',
    )
  }
}

async function startsWith(path: string, text: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(text.length), 0, text.length, 0)
    return buffer.toString('latin1', 0, bytesRead) === text
  } finally {
    await file.close()
  }
}

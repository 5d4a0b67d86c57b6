import { createHash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile, readdir, readlink } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { refusal } from '../problem/problem.ts'

/** What a file or folder holds, in one word. */
export interface Digest {
  /** sha256 in hex. */
  readonly sha256: string
  /** Of all files. */
  readonly bytes: number
}

/** Files open at once: more than the threads that read them, few enough for the smallest limit of open files. */
const OPEN_FILES = 32
const READ_WHOLE = 4 * 1024 * 1024

/**
 * The digest of a folder: every name, kind and byte below it, links as links, empty folders too. Of a file's mode only
 * whether it can be executed counts, since the rest is the umask of who built it; times and owners do not count.
 * `known` gives digests of folders below, by path relative to `folder`, that need not be read.
 */
export async function contentHash(folder: string, known: ReadonlyMap<string, Digest> = new Map()): Promise<Digest> {
  const gate = turnstile(OPEN_FILES)

  async function folderDigest(path: string): Promise<Digest> {
    const already = known.get(path)
    if (already !== undefined) {
      return already
    }
    const entries = await readdir(join(folder, path), { withFileTypes: true })
    const parts = await Promise.all(entries.sort(byName).map((entry) => entryDigest(path, entry)))
    const lines = parts.map(({ kind, digest }, i) => `${kind} ${digest.sha256} ${entries[i]?.name ?? ''}\0`)
    return { sha256: hash('sha256', lines.join('')), bytes: parts.reduce((sum, part) => sum + part.digest.bytes, 0) }
  }

  async function entryDigest(parent: string, entry: Dirent): Promise<{ kind: string; digest: Digest }> {
    const path = parent === '' ? entry.name : `${parent}/${entry.name}`
    if (entry.isDirectory()) {
      return { kind: 'folder', digest: await folderDigest(path) }
    }
    if (entry.isSymbolicLink()) {
      return { kind: 'link', digest: { sha256: hash('sha256', await readlink(join(folder, path))), bytes: 0 } }
    }
    if (!entry.isFile()) {
      throw refusal(
        'build/odd-file',
        { file: path },
        'is neither a file, a folder nor a link',
        'Remove it at the end of the build.',
      )
    }
    return gate(() => fileDigest(join(folder, path)))
  }

  return await folderDigest('')
}

async function fileDigest(path: string): Promise<{ kind: string; digest: Digest }> {
  const { mode, size } = await lstat(path)
  const sha256 = size <= READ_WHOLE ? hash('sha256', await readFile(path)) : await streamed(path)
  return { kind: (mode & 0o100) === 0 ? 'file' : 'program', digest: { sha256, bytes: size } }
}

async function streamed(path: string): Promise<string> {
  const sum = createHash('sha256')
  await pipeline(createReadStream(path), sum)
  return sum.digest('hex')
}

/** Lets `limit` through at a time, in the order of arrival. */
function turnstile(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let inside = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (inside >= limit) {
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else {
      inside += 1
    }
    try {
      return await work()
    } finally {
      // The place is handed on, so that nobody slips in between.
      const next = waiting.shift()
      if (next === undefined) inside -= 1
      else next()
    }
  }
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1
}

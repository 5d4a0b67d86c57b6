import { createHash, hash } from 'node:crypto'
import { createReadStream, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setImmediate as others } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import { inventoryOf } from './inventory.ts'
import type { Inventory } from './inventory.ts'

/** Thousands of small files are read three times as fast without a promise for each; others get their turn in between. */
const LONGEST_TURN_MS = 8
const LARGE_BYTES = 1024 * 1024
const MOST_REMEMBERED = 200_000

/**
 * Digests of files by inode and times: artifacts share the files of their dependencies by hard links, and each inode is
 * read only once. A file that was written to, or that somebody linked since, is read again.
 */
export interface FileDigests {
  of(path: string, stats: BigIntStats): Promise<string>
}

export function fileDigests(): FileDigests {
  const remembered = new Map<string, string>()
  return {
    async of(path, { dev, ino, size, mtimeNs, ctimeNs }) {
      const key = `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
      const known = remembered.get(key)
      if (known !== undefined) return known
      const digest = size < LARGE_BYTES ? hash('sha256', readFileSync(path)) : await streamed(path)
      if (remembered.size >= MOST_REMEMBERED) remembered.clear()
      remembered.set(key, digest)
      return digest
    },
  }
}

/** Reads everything below a folder of this machine. Refuses one that cannot be read whole. */
export async function takeInventory(folder: string, digests: FileDigests = fileDigests()): Promise<Inventory> {
  const found: { path: string; record: string }[] = []
  const folders = ['']
  let turn = performance.now()
  try {
    for (const parent of folders) {
      for (const entry of readdirSync(join(folder, parent), { withFileTypes: true })) {
        const path = parent === '' ? entry.name : `${parent}/${entry.name}`
        if (entry.isDirectory()) folders.push(path)
        found.push({ path, record: await recordOf(folder, path, digests) })
        if (performance.now() - turn > LONGEST_TURN_MS) {
          await others()
          turn = performance.now()
        }
      }
    }
  } catch (error) {
    throw unreadable(folder, error)
  }
  return inventoryOf(found.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map(({ record }) => record))
}

async function recordOf(folder: string, path: string, digests: FileDigests): Promise<string> {
  const full = join(folder, path)
  const stats = lstatSync(full, { bigint: true })
  if (stats.isDirectory()) return `d ${path}`
  if (stats.isSymbolicLink()) return `l ${path}//${readlinkSync(full)}`
  if (!stats.isFile()) throw new Error(`${path} is neither a file, a folder nor a link`)
  const kind = (stats.mode & 0o100n) === 0n ? 'f' : 'x'
  return `${kind} ${stats.size} ${await digests.of(full, stats)} ${path}`
}

async function streamed(path: string): Promise<string> {
  const sum = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: LARGE_BYTES }), sum)
  return sum.digest('hex')
}

function unreadable(folder: string, error: unknown): Refusal {
  const why = error instanceof Error ? error.message : String(error)
  return refusal('hosts/upload', folder, `cannot be read: ${why}`, 'Was it built, and may Drover read all of it?')
}

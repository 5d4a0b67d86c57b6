import { createHash, hash } from 'node:crypto'
import { createReadStream, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setImmediate as others } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import { inventoryOf, recordsBelow } from './inventory.ts'
import type { Inventory } from './inventory.ts'

/** Thousands of small files are read twice as fast without a promise for each; others get their turn in between. */
const LONGEST_TURN_MS = 8
const LARGE_BYTES = 1024 * 1024

/**
 * Reads everything below a folder of this machine. `known` gives inventories of folders below, by path relative to
 * `folder`, that need not be read. Refuses (`hosts/odd-file`) what is neither a file, a folder nor a link.
 */
export async function takeInventory(
  folder: string,
  known: ReadonlyMap<string, Inventory> = new Map(),
): Promise<Inventory> {
  const records: string[] = []
  const folders = ['']
  let turn = performance.now()
  for (const parent of folders) {
    for (const entry of readdirSync(join(folder, parent), { withFileTypes: true })) {
      const path = parent === '' ? entry.name : `${parent}/${entry.name}`
      const inside = known.get(path)
      if (inside !== undefined) {
        records.push(...recordsBelow(path, inside))
        continue
      }
      if (entry.isDirectory()) folders.push(path)
      records.push(await recordOf(folder, path, entry))
      if (performance.now() - turn > LONGEST_TURN_MS) {
        await others()
        turn = performance.now()
      }
    }
  }
  return inventoryOf(records)
}

async function recordOf(folder: string, path: string, entry: Dirent): Promise<string> {
  if (entry.isDirectory()) return `d ${path}`
  const full = join(folder, path)
  if (entry.isSymbolicLink()) return `l ${path}//${readlinkSync(full)}`
  if (!entry.isFile()) {
    throw refusal(
      'hosts/odd-file',
      { file: path },
      'is neither a file, a folder nor a link',
      'Remove it at the end of the build.',
    )
  }
  const { kind, size, sha256 } = await describeFile(full)
  return `${kind} ${size} ${sha256} ${path}`
}

/** A file as a record of an inventory tells about it. */
export async function describeFile(path: string): Promise<{ kind: 'f' | 'x'; size: number; sha256: string }> {
  const { mode, size } = lstatSync(path)
  const sha256 = size < LARGE_BYTES ? hash('sha256', readFileSync(path)) : await streamed(path)
  return { kind: (mode & 0o100) === 0 ? 'f' : 'x', size, sha256 }
}

async function streamed(path: string): Promise<string> {
  const sum = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: LARGE_BYTES }), sum)
  return sum.digest('hex')
}

import { hash } from 'node:crypto'

/**
 * Everything that a folder holds, as text: one record for each thing below it, in order of their paths, so that two
 * inventories can be compared and the difference sent.
 *
 *     d <path>                          a folder
 *     f <size> <sha256> <path>          a file; x when it may be executed
 *     l <path>//<what it points to>     a symbolic link; a path below a folder never holds two slashes in a row
 *
 * Of modes only whether a file can be executed counts; owners and times do not. Names are UTF-8.
 */
export interface Inventory {
  /** sha256 of the records, each ended by NUL: equal for folders that hold the same. */
  readonly digest: string
  readonly records: readonly string[]
}

export interface FileRecord {
  /** Names the bytes and whether they may be executed: files with the same one can share an inode. */
  readonly content: string
  readonly size: number
  /** Relative to the folder. */
  readonly path: string
}

const FILE = /^([fx]) (\d+) ([0-9a-f]{64}) (.+)$/s

export function inventoryOf(records: readonly string[]): Inventory {
  return { digest: hash('sha256', inventoryText(records)), records }
}

export function inventoryText(records: readonly string[]): string {
  return records.map((record) => `${record}\0`).join('')
}

/** undefined for text that is none, such as half of one. */
export function readInventory(text: string): Inventory | undefined {
  const records = text.split('\0')
  return records.pop() === '' ? inventoryOf(records) : undefined
}

/** undefined for what is no file. */
export function fileOf(record: string): FileRecord | undefined {
  const [, kind, size, sha256, path] = FILE.exec(record) ?? []
  if (kind === undefined || sha256 === undefined || path === undefined) return undefined
  return { content: kind + sha256, size: Number(size), path }
}

export function filesOf(inventory: Inventory): FileRecord[] {
  return inventory.records.map(fileOf).filter((file) => file !== undefined)
}

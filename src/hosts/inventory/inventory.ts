import { hash } from 'node:crypto'

/**
 * Everything that a folder holds, as text: one record for each thing below it, in order of their paths, so that two
 * inventories can be compared and the difference sent.
 *
 *     d <path>                          a folder
 *     f <size> <sha256> <path>          a file; x when it may be executed
 *     l <path>//<what it points to>     a symbolic link; a path below a folder never holds two slashes in a row
 *
 * Of modes only whether a file can be executed counts, since the rest is the umask of who made it; owners and times do
 * not. Names are UTF-8.
 */
export interface Inventory {
  /** sha256 of the records, each ended by NUL: equal for folders that hold the same. */
  readonly digest: string
  readonly records: readonly string[]
  readonly files: readonly FileRecord[]
  /** Of all files. */
  readonly bytes: number
}

export interface FileRecord {
  /** Names the bytes and whether they may be executed: files with the same one can share an inode. */
  readonly content: string
  readonly size: number
  /** Relative to the folder. */
  readonly path: string
}

/** Of records in any order, such as those of folders together. */
export function inventoryOf(records: readonly string[]): Inventory {
  const ordered = records.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
  const files = ordered.map(fileOf).filter((file) => file !== undefined)
  return {
    digest: hash('sha256', inventoryText(ordered)),
    records: ordered,
    files,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  }
}

export function inventoryText(records: readonly string[]): string {
  return records.map((record) => `${record}\0`).join('')
}

/** undefined for text that is none, such as half of one. */
export function readInventory(text: string): Inventory | undefined {
  const records = text.split('\0')
  return records.pop() === '' && records.every(isRecord) ? inventoryOf(records) : undefined
}

/** The records of a folder as those of a folder that it lies in, itself included. */
export function recordsBelow(place: string, { records }: Inventory): string[] {
  return [
    `d ${place}`,
    ...records.map((record) => {
      const start = pathStart(record)
      return `${record.slice(0, start)}${place}/${record.slice(start)}`
    }),
  ]
}

/** A record is long, and there are thousands: no regular expression takes it apart here. */
function fileOf(record: string): FileRecord | undefined {
  const kind = record[0]
  if (kind !== 'f' && kind !== 'x') return undefined
  const start = pathStart(record)
  const sha256 = record.slice(start - SHA256_DIGITS - 1, start - 1)
  return { content: kind + sha256, size: Number(record.slice(2, start - SHA256_DIGITS - 2)), path: record.slice(start) }
}

const SHA256_DIGITS = 64

function pathStart(record: string): number {
  return record[0] === 'd' || record[0] === 'l' ? 2 : record.indexOf(' ', 2) + 1 + SHA256_DIGITS + 1
}

function pathOf(record: string): string {
  const path = record.slice(pathStart(record))
  return record[0] === 'l' ? path.slice(0, path.indexOf('//')) : path
}

function isRecord(text: string): boolean {
  return /^(?:d .|l .+?\/\/.|[fx] \d+ [0-9a-f]{64} .)/s.test(text)
}

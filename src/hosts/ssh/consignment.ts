import { join, posix } from 'node:path'
import { hash } from 'node:crypto'
import { inventoryText } from '../inventory/inventory.ts'
import type { Inventory } from '../inventory/inventory.ts'

/** A folder that the host lacks. */
export interface Wanted {
  /** On this machine. */
  readonly folder: string
  /** On the host. */
  readonly target: string
  readonly inventory: Inventory
  /** What lies at the target makes way for it. */
  readonly anew?: boolean
}

/** A folder that lies on the host, and what it held when it was laid. */
export interface Lying {
  readonly folder: string
  readonly inventory: Inventory
}

export interface SentFile {
  /** On this machine. */
  readonly file: string
  readonly content: string
  readonly size: number
}

/** What goes to the host in one round trip, and is laid there whole or not at all. */
export interface Consignment {
  readonly wanted: readonly Wanted[]
  /** For receive.pl. */
  readonly orders: string
  /** In the order in which their contents follow the orders. */
  readonly files: readonly SentFile[]
  /** Of these files, by the folder that is the first to need them. */
  readonly sent: readonly number[]
  readonly bytes: number
}

export interface Doubts {
  /** Contents that the host turned out to lack, though something that lies there should hold them. */
  readonly lacking: ReadonlySet<string>
  /** What lies there is not described by the inventories that we know. */
  readonly bases: boolean
}

export interface ConsignmentOptions {
  readonly doubts: Doubts
  /** One folder goes, however large. */
  readonly mostBytes: number
}

/** How many bytes of the wanted folders nothing of what lies there holds. */
export function missingBytes(wanted: readonly Wanted[], lying: readonly Lying[]): number {
  const held = contentsOf(lying)
  const missing = new Map<string, number>()
  for (const { inventory } of wanted) {
    for (const { content, size } of inventory.files) {
      if (!held.has(content)) missing.set(content, size)
    }
  }
  return missing.values().reduce((sum, size) => sum + size, 0)
}

/** The next folders that fit together. `lying` stands in order of preference. */
export function nextConsignment(
  wanted: readonly Wanted[],
  lying: readonly Lying[],
  { doubts, mostBytes }: ConsignmentOptions,
): Consignment {
  const held = contentsOf(lying)
  const draws = new Set<string>()
  const arriving = new Map<string, SentFile>()
  const taken: Wanted[] = []
  const sent: number[] = []
  let bytes = 0
  for (const one of wanted) {
    const needs = needsOf(one, held, doubts)
    const missing = [...needs.missing].filter(([content]) => !arriving.has(content))
    const more = missing.reduce((sum, [, { size }]) => sum + size, 0)
    if (taken.length > 0 && bytes + more > mostBytes) break
    for (const place of needs.places) draws.add(place)
    for (const [content, file] of missing) arriving.set(content, file)
    bytes += more
    sent.push(more)
    taken.push(one)
  }
  const orders = [
    ...[...draws].flatMap((folder) => ['draw', folder]),
    ...taken.flatMap(({ target, anew = false }) => (anew ? ['anew', target] : [])),
    ...taken.flatMap((one) => targetOrder(one, doubts.bases ? undefined : baseOf(one, lying))),
    ...[...arriving].flatMap(([content, { size }]) => ['content', content, String(size)]),
    'go',
    hash('sha256', taken.map(({ inventory }) => inventoryText(inventory.records)).join('')),
  ]
  return {
    wanted: taken,
    orders: orders.map((word) => `${word}\0`).join(''),
    files: [...arriving.values()],
    sent,
    bytes,
  }
}

function needsOf(
  { folder, inventory }: Wanted,
  held: ReadonlyMap<string, string>,
  { lacking }: Doubts,
): { places: Set<string>; missing: Map<string, SentFile> } {
  const places = new Set<string>()
  const missing = new Map<string, SentFile>()
  for (const { content, size, path } of inventory.files) {
    const place = lacking.has(content) ? undefined : held.get(content)
    if (place !== undefined) places.add(place)
    else if (!missing.has(content)) missing.set(content, { file: join(folder, path), content, size })
  }
  return { places, missing }
}

/** By content, the first folder that holds it. */
function contentsOf(lying: readonly Lying[]): Map<string, string> {
  const held = new Map<string, string>()
  for (const { folder, inventory } of lying) {
    for (const { content } of inventory.files) {
      if (!held.has(content)) held.set(content, folder)
    }
  }
  return held
}

/** An earlier one of the same service, most of whose records are the same. */
function baseOf({ target }: Wanted, lying: readonly Lying[]): Lying | undefined {
  return lying.find(({ folder }) => posix.dirname(folder) === posix.dirname(target))
}

function targetOrder({ target, inventory }: Wanted, base: Lying | undefined): string[] {
  return ['target', target, inventory.digest, base?.folder ?? '', ...changes(base?.inventory, inventory), '.']
}

/** How to make the records of an inventory from those of a base; both are in order, so what stays, stays in order. */
export function changes(base: Inventory | undefined, inventory: Inventory): string[] {
  const places = new Map((base?.records ?? []).map((record, place) => [record, place]))
  const words: string[] = []
  let next = 0
  let kept = 0
  const flush = (): void => {
    if (kept > 0) words.push(`=${kept}`)
    kept = 0
  }
  for (const record of inventory.records) {
    const place = places.get(record)
    if (place !== next) flush()
    if (place === undefined) {
      words.push(`+${record}`)
    } else {
      if (place > next) words.push(`-${place - next}`)
      next = place + 1
      kept += 1
    }
  }
  flush()
  return words
}

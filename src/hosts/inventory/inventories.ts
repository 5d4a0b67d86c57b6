import { hash, randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inventoryText, readInventory } from './inventory.ts'
import type { Inventory } from './inventory.ts'
import { fileDigests, takeInventory } from './take-inventory.ts'

const UNUSED_MS = 60 * 24 * 3600_000

/**
 * Inventories that this machine has made or heard of, in a folder that several processes may share:
 *
 *     <digest>        an inventory; worth nothing unless its content has this digest
 *     id-<sha256>     the digest of the inventory of what an id names
 *
 * Nothing here is needed: what is missing is made again. What was not used for two months is thrown away.
 */
export interface Inventories {
  /** What a folder of this machine holds; read once for each `id`, which names all that is in it. */
  of(folder: string, id?: string): Promise<Inventory>
  known(digest: string): Promise<Inventory | undefined>
  keep(inventory: Inventory): Promise<void>
}

export function inventories(place: string): Inventories {
  const digests = fileDigests()
  const underWay = new Map<string, Promise<Inventory>>()
  let swept: Promise<void> | undefined

  async function read(name: string): Promise<string | undefined> {
    const text = await readFile(join(place, name), 'utf8').catch(() => undefined)
    if (text !== undefined) await utimes(join(place, name), new Date(), new Date()).catch(() => undefined)
    return text
  }

  /** A disk that is full or may not be written to costs time at the next upload, and nothing now. */
  async function write(name: string, text: string): Promise<void> {
    const aside = join(place, `${name}.${randomUUID()}`)
    try {
      await mkdir(place, { recursive: true })
      await writeFile(aside, text)
      await rename(aside, join(place, name))
    } catch {
      await rm(aside, { force: true }).catch(() => undefined)
    }
    swept ??= sweep(place).catch(() => undefined)
    await swept
  }

  async function known(digest: string): Promise<Inventory | undefined> {
    const inventory = /^[0-9a-f]{64}$/.test(digest) ? readInventory((await read(digest)) ?? '') : undefined
    return inventory?.digest === digest ? inventory : undefined
  }

  async function keep(inventory: Inventory): Promise<void> {
    await write(inventory.digest, inventoryText(inventory.records))
  }

  async function once(folder: string, id: string): Promise<Inventory> {
    const name = `id-${hash('sha256', id)}`
    const before = await known((await read(name)) ?? '')
    if (before !== undefined) return before
    const inventory = await takeInventory(folder, digests)
    await keep(inventory)
    await write(name, inventory.digest)
    return inventory
  }

  return {
    known,
    keep,
    of(folder, id) {
      if (id === undefined) return takeInventory(folder, digests)
      const found = underWay.get(id) ?? once(folder, id).finally(() => underWay.delete(id))
      underWay.set(id, found)
      return found
    },
  }
}

async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    const { mtimeMs } = await stat(join(place, name))
    if (Date.now() - mtimeMs > UNUSED_MS) await rm(join(place, name), { force: true })
  }
}

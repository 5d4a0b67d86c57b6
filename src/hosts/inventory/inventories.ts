import { randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inventoryText, readInventory } from './inventory.ts'
import type { Inventory } from './inventory.ts'

const UNUSED_MS = 60 * 24 * 3600_000

/**
 * Inventories of what was laid on hosts, by their digests, in a folder that several processes may share. Nothing in it is
 * needed: what is missing is fetched from the hosts. What was not used for two months is thrown away.
 */
export interface Inventories {
  find(digest: string): Promise<Inventory | undefined>
  keep(inventory: Inventory): Promise<void>
}

export function inventories(folder: string): Inventories {
  // Several hosts get the same at the same time; what nobody uses any more is collected.
  const atHand = new Map<string, WeakRef<Inventory>>()
  let swept: Promise<void> | undefined
  return {
    async find(digest) {
      const known = atHand.get(digest)?.deref()
      if (known !== undefined) return known
      if (!/^[0-9a-f]{64}$/.test(digest)) return undefined
      const file = join(folder, digest)
      const text = await readFile(file, 'utf8').catch(() => undefined)
      const inventory = text === undefined ? undefined : readInventory(text)
      if (inventory?.digest !== digest) return undefined
      await utimes(file, new Date(), new Date()).catch(() => undefined)
      atHand.set(digest, new WeakRef(inventory))
      return inventory
    },
    /** A disk that is full or may not be written to costs time at the next upload, and nothing now. */
    async keep(inventory) {
      const { digest, records } = inventory
      if (atHand.get(digest)?.deref() !== undefined) return
      atHand.set(digest, new WeakRef(inventory))
      const aside = join(folder, `${digest}.${randomUUID()}`)
      try {
        await mkdir(folder, { recursive: true })
        await writeFile(aside, inventoryText(records))
        await rename(aside, join(folder, digest))
      } catch {
        await rm(aside, { force: true }).catch(() => undefined)
      }
      swept ??= sweep(folder).catch(() => undefined)
      await swept
    },
  }
}

async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const { mtimeMs } = await stat(join(folder, name))
    if (Date.now() - mtimeMs > UNUSED_MS) await rm(join(folder, name), { force: true })
  }
}

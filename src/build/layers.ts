import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Host } from '../hosts/host.ts'
import { inventoryOf } from '../hosts/inventory/inventory.ts'
import type { Inventory } from '../hosts/inventory/inventory.ts'
import { takeInventory } from '../hosts/inventory/take-inventory.ts'
import { refusal } from '../problem/problem.ts'
import { diskFull, tellsOfFullDisk } from './disk-full.ts'
import { readJson } from './json-file.ts'
import { withLock } from './lock.ts'

/**
 * Installed dependencies, kept by what they were installed from, so that an unchanged lockfile is not installed
 * again. A layer is a set of folders at places relative to a tree.
 *
 *     layers/<key>/content/<place>/    the folders
 *     layers/<key>/layer.json          what they hold; its time says when the layer was last used
 */
export interface Layers {
  /**
   * Lays the layer `key` into a tree; installs it with `make` first when there is none, which says the places of the
   * folders that it made in the tree. Gives their inventories by place.
   */
  lay(key: string, options: LayOptions): Promise<ReadonlyMap<string, Inventory>>
}

export interface LayOptions {
  readonly tree: string
  /**
   * `link`: files are hard links to the layer, which takes tens of milliseconds; nothing may write to them. `copy`:
   * for a tree that a build command is going to change.
   */
  readonly as: 'link' | 'copy'
  readonly make: () => Promise<readonly string[]>
}

/** Records of inventories by place. */
const layerRecord = z.object({ folders: z.record(z.string(), z.array(z.string())) })
type LayerRecord = z.infer<typeof layerRecord>

export interface LayersOptions {
  readonly folder: string
  readonly host: Host
  /** A new empty folder on the same file system, removed by whoever asks for it. */
  readonly scratch: () => Promise<string>
  readonly signal?: AbortSignal | undefined
}

export function openLayers(options: LayersOptions): Layers {
  const { folder, signal } = options
  return {
    async lay(key, { tree, as, make }) {
      const layer = join(folder, key)
      const read = (): Promise<LayerRecord | undefined> => readJson(join(layer, 'layer.json'), layerRecord)
      const record =
        (await read()) ??
        (await withLock(
          `${layer}.lock`,
          signal,
          async () => (await read()) ?? (await add(layer, { tree, make, options })),
        ))
      await utimes(join(layer, 'layer.json'), new Date(), new Date())
      for (const place of Object.keys(record.folders)) {
        await copy(join(layer, 'content', place), join(tree, place), { as, options })
      }
      return new Map(Object.entries(record.folders).map(([place, records]) => [place, inventoryOf(records)]))
    },
  }
}

/** The folders are moved out of the tree into a layer, which appears with its record by one rename. */
async function add(
  layer: string,
  {
    tree,
    make,
    options,
  }: { readonly tree: string; readonly make: LayOptions['make']; readonly options: LayersOptions },
): Promise<LayerRecord> {
  const places = await make()
  const scratch = await options.scratch()
  try {
    const folders: Record<string, readonly string[]> = {}
    for (const place of places) {
      const target = join(scratch, 'content', place)
      await mkdir(dirname(target), { recursive: true })
      await rename(join(tree, place), target)
      folders[place] = (await takeInventory(target)).records
    }
    await writeFile(join(scratch, 'layer.json'), JSON.stringify({ folders }))
    // Without a record it is what a power cut left; see readJson.
    await rm(layer, { recursive: true, force: true })
    await rename(scratch, layer)
    return layerRecord.parse({ folders })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function copy(
  from: string,
  to: string,
  { as, options }: { readonly as: LayOptions['as']; readonly options: LayersOptions },
): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(dirname(to), { recursive: true })
  const run = (mode: string): ReturnType<Host['run']> =>
    options.host.run(
      { program: 'cp', argv: [mode, '--', from, to] },
      { timeoutMs: 10 * 60_000, ...(options.signal === undefined ? {} : { signal: options.signal }) },
    )
  const first = await run(as === 'link' ? '-al' : '-a')
  if (first.ok) {
    return
  }
  // A file system limits the links of a file (ext4: 65,000); a copy is as good, only slower.
  await rm(to, { recursive: true, force: true })
  const second = as === 'link' && first.failure === 'exit' ? await run('-a') : first
  if (!second.ok) {
    const said = second.stderr.trim().slice(-300)
    throw tellsOfFullDisk(said)
      ? diskFull({ file: to })
      : refusal(
          'build/copy-failed',
          { file: to },
          `dependencies cannot be laid: ${said || (second.failure ?? 'no reason given')}`,
        )
  }
}

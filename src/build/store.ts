import { hash, randomUUID } from 'node:crypto'
import { access, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errorCode } from '../hosts/error-code.ts'
import type { Host } from '../hosts/host.ts'
import { inventoryText, readInventory } from '../hosts/inventory/inventory.ts'
import type { Inventory } from '../hosts/inventory/inventory.ts'
import { takeInventory } from '../hosts/inventory/take-inventory.ts'
import { refusal } from '../problem/problem.ts'
import type { Artifact } from './artifact.ts'
import { readJson, writeJson } from './json-file.ts'
import { openLayers } from './layers.ts'
import type { Layers } from './layers.ts'
import { withLock } from './lock.ts'
import { isAlive, ownName } from './owner.ts'

const ID_DIGITS = 20

/**
 * The artifacts of the control plane, a folder that several Drover processes of one machine may share:
 *
 *     inputs/<key>.json                 which artifact these inputs were built to
 *     artifacts/<service>/<id>/content/ what is laid on hosts
 *     artifacts/<service>/<id>/artifact.json
 *     artifacts/<service>/<id>/inventory what is in it, which its name was made from
 *     layers/<key>/                     installed dependencies, see layers.ts
 *     cache/                            caches of the languages' own tools
 *     tmp/<process>-<…>/                builds under way; those of dead processes are removed when the store is opened
 *
 * Everything appears by one rename, its record inside it: what is there is whole.
 */
export interface ArtifactStore {
  readonly folder: string
  /** What these inputs were built to; undefined when they have not been, or it has been removed since. */
  find(inputs: string): Promise<Artifact | undefined>
  get(service: string, id: string): Promise<Artifact | undefined>
  /** The folder to lay on hosts; a Refusal when the artifact is not there (any more). */
  folderOf(artifact: Pick<Artifact, 'service' | 'id'>): Promise<string>
  /** What the folder held when it was built. A Refusal when neither the record of it nor the folder is that any more. */
  inventoryOf(artifact: Pick<Artifact, 'service' | 'id'>): Promise<Inventory>
  /** Takes the content of a scratch folder as an artifact and remembers its inputs. Equal content is kept once. */
  add(built: NewArtifact): Promise<Artifact>
  /** Reads every byte of an artifact again; false when it is not what its name says. */
  verify(artifact: Artifact): Promise<boolean>
  layers(options: { readonly host: Host; readonly signal?: AbortSignal | undefined }): Layers
  /** A new empty folder below `tmp/`, swept when this process dies. */
  scratch(): Promise<string>
  /** One builder of the same inputs at a time, of all processes that share the store. */
  exclusively<T>(inputs: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T>
  /** Removes artifacts that are not kept, and layers not used, for `unusedMs`; gives how many of both. */
  prune(options: PruneOptions): Promise<{ readonly artifacts: number; readonly layers: number }>
}

export interface NewArtifact extends Omit<Artifact, 'id' | 'folder' | 'bytes'> {
  readonly inputs: string
  /** A folder from `scratch()`; its `content/` becomes the artifact's. */
  readonly scratch: string
  /** Folders in the content that need not be read, by path relative to it. */
  readonly known: ReadonlyMap<string, Inventory>
}

export interface PruneOptions {
  readonly keep: readonly Pick<Artifact, 'service' | 'id'>[]
  /** Younger ones stay: a release under way may be about to use them. */
  readonly unusedMs: number
}

/** What `artifact.json` holds: everything but the folder, so that a store can be moved. */
const artifactRecord = z.object({
  service: z.string(),
  id: z.string(),
  language: z.enum(['node', 'go', 'python', 'command']),
  cwd: z.string(),
  start: z.string(),
  environment: z.record(z.string(), z.string()),
  bytes: z.number(),
}) satisfies z.ZodType<Omit<Artifact, 'folder'>>

/** Several releases of a large fleet. */
const MOST_REMEMBERED = 10_000

const inputsRecord = z.object({ service: z.string(), id: z.string() })

/** Opens the store, making its folders and removing what dead processes left under way. */
export async function openArtifactStore(folder: string): Promise<ArtifactStore> {
  for (const part of ['inputs', 'artifacts', 'layers', 'cache', 'tmp']) {
    await mkdir(join(folder, part), { recursive: true })
  }
  await sweep(join(folder, 'tmp'))
  const owner = await ownName()

  const place = (service: string, id: string): string => join(folder, 'artifacts', service, id)
  const inputsFile = (inputs: string): string => join(folder, 'inputs', `${inputs}.json`)

  async function get(service: string, id: string): Promise<Artifact | undefined> {
    const record = await readJson(join(place(service, id), 'artifact.json'), artifactRecord)
    return record === undefined ? undefined : { ...record, folder: join(place(service, id), 'content') }
  }

  async function mustHave({ service, id }: Pick<Artifact, 'service' | 'id'>): Promise<Artifact> {
    const artifact = await get(service, id)
    if (artifact !== undefined) return artifact
    throw refusal(
      'build/no-artifact',
      `artifact ${service}/${id}`,
      'is not in the store',
      'Build it again by releasing its commit.',
    )
  }

  async function readInventoryOf(wanted: Pick<Artifact, 'service' | 'id'>): Promise<Inventory> {
    const artifact = await mustHave(wanted)
    const text = await readFile(join(artifact.folder, '..', 'inventory'), 'utf8').catch(() => '')
    const recorded = readInventory(text)
    if (recorded !== undefined && artifactId(recorded, artifact) === artifact.id) return recorded
    // A power cut may have torn the record; what counts is what is there.
    const found = await takeInventory(artifact.folder)
    if (artifactId(found, artifact) === artifact.id) return found
    throw refusal(
      'build/altered',
      `artifact ${artifact.service}/${artifact.id}`,
      'is no longer what was built: its files have been written to',
      'Remove its folder from the store and build it again by releasing its commit.',
    )
  }

  // By inputs. An artifact never changes, but it may have gone.
  const foundBefore = new Map<string, Artifact>()

  // Several hosts get the same artifact at the same time.
  const underWay = new Map<string, Promise<Inventory>>()

  const scratch = async (): Promise<string> => {
    const path = join(folder, 'tmp', `${owner}-${randomUUID().slice(0, 8)}`)
    await mkdir(path)
    return path
  }

  return {
    folder,
    get,
    scratch,
    async find(inputs) {
      const before = foundBefore.get(inputs)
      if (before !== undefined && (await isThere(join(before.folder, '..', 'artifact.json')))) return before
      const known = await readJson(inputsFile(inputs), inputsRecord)
      const found = known === undefined ? undefined : await get(known.service, known.id)
      if (found === undefined) foundBefore.delete(inputs)
      else foundBefore.set(inputs, found)
      if (foundBefore.size > MOST_REMEMBERED) foundBefore.delete(foundBefore.keys().next().value!)
      return found
    },
    folderOf: async (artifact) => (await mustHave(artifact)).folder,
    inventoryOf(wanted) {
      const key = join(wanted.service, wanted.id)
      const read = underWay.get(key) ?? readInventoryOf(wanted).finally(() => underWay.delete(key))
      underWay.set(key, read)
      return read
    },
    async add(built) {
      const inventory = await takeInventory(join(built.scratch, 'content'), built.known)
      const record = recordOf(built, inventory)
      await writeFile(join(built.scratch, 'inventory'), inventoryText(inventory.records))
      await writeJson(join(built.scratch, 'artifact.json'), record)
      await appear(built.scratch, place(record.service, record.id))
      await writeJson(inputsFile(built.inputs), { service: record.service, id: record.id })
      return { ...record, folder: join(place(record.service, record.id), 'content') }
    },
    async verify(artifact) {
      return artifactId(await takeInventory(artifact.folder), artifact) === artifact.id
    },
    layers: ({ host, signal }) => openLayers({ folder: join(folder, 'layers'), host, scratch, signal }),
    exclusively: (inputs, signal, body) => withLock(join(folder, 'inputs', `${inputs}.lock`), signal, body),
    prune: (options) => prune(folder, options),
  }
}

function recordOf(built: NewArtifact, inventory: Inventory): Omit<Artifact, 'folder'> {
  const { service, language, cwd, start, environment } = built
  return { service, id: artifactId(inventory, built), language, cwd, start, environment, bytes: inventory.bytes }
}

/** Whether an artifact's name was made from content with this digest of its inventory. */
export function isNamedBy(artifact: Pick<Artifact, 'id' | 'start' | 'environment'>, digest: string): boolean {
  return artifactId({ digest }, artifact) === artifact.id
}

/** The name of an artifact: its content and how it is started. */
function artifactId(
  { digest }: Pick<Inventory, 'digest'>,
  { start, environment }: Pick<Artifact, 'start' | 'environment'>,
): string {
  const variables = Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return hash('sha256', JSON.stringify([digest, start, variables])).slice(0, ID_DIGITS)
}

/** Moves a finished folder to its place. When equal content is there already, that one stays. */
async function appear(scratch: string, place: string): Promise<void> {
  await mkdir(join(place, '..'), { recursive: true })
  if ((await readJson(join(place, 'artifact.json'), artifactRecord)) === undefined) {
    // A folder without its record is what a power cut left.
    await rm(place, { recursive: true, force: true })
    await rename(scratch, place).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
    })
  }
  await rm(scratch, { recursive: true, force: true })
}

/** What a Drover was killed in. Its commands may go on for a while and write there: then the next sweep removes it. */
async function sweep(tmp: string): Promise<void> {
  for (const name of await readdir(tmp)) {
    if (await isAlive(name)) continue
    await rm(join(tmp, name), { recursive: true, force: true }).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOTEMPTY') throw error
    })
  }
}

async function prune(folder: string, { keep, unusedMs }: PruneOptions): Promise<{ artifacts: number; layers: number }> {
  const kept = new Set(keep.map(({ service, id }) => join(service, id)))
  const old = async (path: string): Promise<boolean> => {
    const found = await stat(path).catch(() => undefined)
    return found !== undefined && Date.now() - found.mtimeMs > unusedMs
  }
  let artifacts = 0
  for (const service of await readdir(join(folder, 'artifacts'))) {
    for (const id of await readdir(join(folder, 'artifacts', service))) {
      const path = join(folder, 'artifacts', service, id)
      if (kept.has(join(service, id)) || !(await old(join(path, 'artifact.json')))) continue
      await removeWhole(folder, path)
      artifacts += 1
    }
  }
  let layers = 0
  for (const key of await readdir(join(folder, 'layers'))) {
    const path = join(folder, 'layers', key)
    if (!(await old(join(path, 'layer.json')))) continue
    await removeWhole(folder, path)
    layers += 1
  }
  return { artifacts, layers }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Out of sight by one rename, then removed: nobody finds half of it. */
async function removeWhole(folder: string, path: string): Promise<void> {
  const aside = join(folder, 'tmp', `${await ownName()}-${randomUUID().slice(0, 8)}`)
  await rename(path, aside)
  await rm(aside, { recursive: true, force: true })
}

import { posix } from 'node:path'
import type { Host, RunOptions } from '../host.ts'
import type { Inventories } from '../inventory/inventories.ts'
import { inventoryOf } from '../inventory/inventory.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { missingBytes } from './consignment.ts'
import type { Lying, Wanted } from './consignment.ts'
import { programText } from './program-text.ts'
import { uploadFailure } from './upload-failure.ts'

const ASK = programText('ask')
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const MAX_INVENTORY_BYTES = 128 * 1024 * 1024
/** To look for less than this among the other services takes longer than to send it. */
const WORTH_A_SEARCH_BYTES = 256 * 1024

export interface Survey {
  /** In the order of the targets; what is altered is only told when it was asked for. */
  readonly states: readonly TargetState[]
  /** What the host has to unpack with. */
  readonly packer: 'zstd' | 'gzip'
  /** Newest first within a folder. */
  readonly laid: readonly Laid[]
}

export type TargetState = 'there' | 'altered' | 'missing'

interface Laid {
  /** Of its inventory. */
  readonly digest: string
  readonly folder: string
}

interface Place {
  readonly name: string
  /** On the host. */
  readonly remote: Host['run']
  readonly inventories: Inventories
}

interface Question {
  readonly targets: readonly string[]
  readonly shelf: string | undefined
  readonly tellsAltered: boolean
}

/** What a host has of some targets, in one round trip. */
export async function ask(
  { name, remote }: Place,
  { targets, shelf = '', tellsAltered }: Question,
  options: RunOptions,
): Promise<Survey> {
  const outcome = await remote(
    {
      program: 'perl',
      argv: ['-e', ASK, tellsAltered ? '1' : '0', shelf, ...targets],
      summary: `ask for ${targets.join(' ')}`,
    },
    { ...options, maxOutputBytes: MAX_ANSWER_BYTES },
  )
  const survey = outcome.ok ? readSurvey(outcome.stdout, targets.length) : undefined
  if (survey === undefined) throw uploadFailure({ name, targets }, outcome)
  return survey
}

/** Reads what ask.pl said; undefined when it is something else. */
function readSurvey(text: string, targets: number): Survey | undefined {
  const words = text.split('\0')
  const states = words.splice(0, targets).flatMap((word) => STATES.find((state) => state === word) ?? [])
  const [packer] = words.splice(0, 1)
  if (states.length !== targets) return undefined
  if (packer !== 'zstd' && packer !== 'gzip') return undefined
  const laid: Laid[] = []
  for (let place = 0; place + 1 < words.length; place += 2) {
    laid.push({ digest: words[place] ?? '', folder: words[place + 1] ?? '' })
  }
  return { states, packer, laid }
}

const STATES = ['there', 'altered', 'missing'] as const

/**
 * What lies on the host that is worth drawing on, earlier ones of the same services first. The others are looked at only
 * when those lack much.
 */
export async function worthDrawingOn(
  place: Place,
  { laid, wanted }: { readonly laid: readonly Laid[]; readonly wanted: readonly Wanted[] },
  options: RunOptions,
): Promise<Lying[]> {
  const own = new Set(wanted.map(({ target }) => posix.dirname(target)))
  const near = laid.filter(({ folder }) => own.has(posix.dirname(folder)))
  const lying = await described(place, near, options)
  if (missingBytes(wanted, lying) < WORTH_A_SEARCH_BYTES) return lying
  const far = newestOfEach(laid.filter(({ folder }) => !own.has(posix.dirname(folder))))
  return [...lying, ...(await described(place, far, options))]
}

function newestOfEach(laid: readonly Laid[]): Laid[] {
  return laid.filter(({ folder }, at) => posix.dirname(folder) !== posix.dirname(laid[at - 1]?.folder ?? ''))
}

/** With inventories that this machine knows; those that another one made are fetched, once. */
async function described(place: Place, laid: readonly Laid[], options: RunOptions): Promise<Lying[]> {
  const known = await Promise.all(laid.map(({ digest }) => place.inventories.find(digest)))
  const unknown = laid.filter((_, at) => known[at] === undefined)
  const fetched = unknown.length === 0 ? [] : await fetchInventories(place, unknown, options)
  const all = new Map([...known, ...fetched].filter((one) => one !== undefined).map((one) => [one.digest, one]))
  return laid.flatMap(({ digest, folder }) => {
    const inventory = all.get(digest)
    return inventory === undefined ? [] : [{ folder, inventory }]
  })
}

async function fetchInventories(place: Place, laid: readonly Laid[], options: RunOptions): Promise<Inventory[]> {
  const files = laid.map(({ folder }) => `${posix.dirname(folder)}/.${posix.basename(folder)}.inventory`)
  const outcome = await place.remote(
    { program: 'cat', argv: ['--', ...files] },
    { ...options, maxOutputBytes: MAX_INVENTORY_BYTES },
  )
  const inventories = readInventoryFiles(outcome.stdout)
  await Promise.all(inventories.map((inventory) => place.inventories.keep(inventory)))
  return inventories
}

/** Whole ones only: a file may have gone meanwhile, or been written to by hand. */
function readInventoryFiles(text: string): Inventory[] {
  const words = text.split('\0')
  const inventories: Inventory[] = []
  for (let at = 0; words[at] === 'drover-inventory-1';) {
    const count = Number(words[at + 2])
    const inventory = inventoryOf(words.slice(at + 3, at + 3 + count))
    if (inventory.digest !== words[at + 1]) break
    inventories.push(inventory)
    // What else a file has is for the host.
    at = words.indexOf('drover-inventory-1', at + 3 + count + inventory.files.length)
  }
  return inventories
}

import { posix } from 'node:path'
import { Refusal, refusal } from '../../problem/problem.ts'
import type { Command, Host, Outcome, Parcel, UploadOptions, Uploaded } from '../host.ts'
import type { Fence } from '../operation.ts'
import type { Inventories } from '../inventory/inventories.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { takeInventory } from '../inventory/take-inventory.ts'
import { nextConsignment } from './consignment.ts'
import type { Consignment, Doubts, Lying, Wanted } from './consignment.ts'
import { ask, worthDrawingOn } from './lying.ts'
import type { Survey } from './lying.ts'
import { isWorthPacking } from './packing.ts'
import type { Packer } from './packing.ts'
import { delivery, readReceipt } from './receive.ts'
import type { Receipt } from './receive.ts'
import type { SessionOptions } from './session.ts'
import { alteredFile } from './upload-failure.ts'

const TIMEOUT_MS = 30 * 60_000
/** When the line is lost, at most this much (or one folder, if that is larger) has to be sent again. */
const LARGEST_CONSIGNMENT = 64 * 1024 * 1024
/** What goes over a line of which nothing is known, so that what follows is packed if it is slow. */
const FIRST_CONSIGNMENT = 8 * 1024 * 1024
/** ssh lets 2 MB wait on their way, which arrive at once. */
const MEASURABLE_BYTES = 3 * 1024 * 1024
/** What lies on a host may change while it is drawn on; more than that is no chance. */
const MOST_SURPRISES = 4

export interface UploadPort {
  readonly name: string
  /** On this machine. */
  readonly local: Host['run']
  /** On the host. */
  readonly remote: (command: Command, options: SessionOptions) => Promise<Outcome>
  readonly inventories: Inventories
}

/**
 * Lays folders of this machine on a host, and sends of them only contents that no file has which was laid there before.
 * One question (what is there?) and, for every 64 MB that the host lacks, one consignment, laid whole or not at all; what
 * was laid before the line was lost is not sent again.
 *
 * What is laid is verified: the host puts the inventory of each target together and compares its digest, and every file that
 * arrived is read back from the disk and its sha256 compared. A file that lay there already was verified when it arrived;
 * it is linked only while it still is that inode, with the size and the time of writing (in ns) that it had then. Else it
 * was written to, and its content is sent anew, so that an artifact altered by hand does not pass that on.
 * What this cannot see is somebody who alters a file and sets its time back, for which one has to be its owner or root.
 *
 * Files are laid without the right to write, because they are shared.
 */
export function uploader(port: UploadPort): Host['uploadAll'] {
  const line: Line = { pace: undefined, hasZstd: undefined }
  return async (parcels, { signal, shelf, fence, mends = false }: UploadOptions = {}) => {
    if (parcels.length === 0) return []
    const options = { timeoutMs: TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
    const targets = parcels.map(({ target }) => posix.resolve(target))
    const survey = await ask(port, { targets, shelf, tellsAltered: mends }, options)
    const wanted = await openParcels(parcels, survey)
    const lying = await worthDrawingOn(port, { laid: survey.laid, wanted }, options)
    const laid = await layAll({ port, line, survey, options, fence }, wanted, lying)
    const anew = new Set(wanted.filter((one) => one.anew === true).map(({ target }) => target))
    return targets.map((target) => ({ ...(laid.get(target) ?? THERE), ...(anew.has(target) ? { mended: true } : {}) }))
  }
}

const THERE: Uploaded = { bytes: 0, sent: 0, skipped: true }

/** What is known of the line to a host. */
interface Line {
  /** Bytes per millisecond; undefined until enough was sent. */
  pace: number | undefined
  /** Whether this machine has it. */
  hasZstd: Promise<boolean> | undefined
}

interface Journey {
  readonly port: UploadPort
  readonly line: Line
  readonly survey: Survey
  readonly options: { readonly timeoutMs: number; readonly signal?: AbortSignal }
  readonly fence: Fence | undefined
}

async function openParcels(parcels: readonly Parcel[], { states }: Survey): Promise<Wanted[]> {
  const lacking = parcels
    .map((parcel, at) => ({ ...parcel, anew: states[at] === 'altered' }))
    .filter((_, at) => states[at] !== 'there')
  const byTarget = new Map(lacking.map((parcel) => [posix.resolve(parcel.target), parcel]))
  return Promise.all(
    [...byTarget].map(async ([target, { folder: where, inventory, anew }]) => {
      const folder = typeof where === 'string' ? where : await where()
      return { folder, target, inventory: await (inventory?.() ?? readFolder(folder)), ...(anew ? { anew } : {}) }
    }),
  )
}

async function readFolder(folder: string): Promise<Inventory> {
  try {
    return await takeInventory(folder)
  } catch (error) {
    if (error instanceof Refusal) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw refusal('hosts/upload', folder, `cannot be read: ${why}`, 'Was it built, and may Drover read all of it?')
  }
}

async function layAll(
  journey: Journey,
  wanted: readonly Wanted[],
  lying: readonly Lying[],
): Promise<Map<string, Uploaded>> {
  const { port } = journey
  const laid = new Map<string, Uploaded>()
  let left = wanted
  let drawn = lying
  let doubts: Doubts = { lacking: new Set(), bases: false }
  for (let surprises = 0; left.length > 0;) {
    const consignment = nextConsignment(left, drawn, { doubts, mostBytes: mostBytes(journey.line) })
    const receipt = await send(journey, consignment)
    if (receipt.kind === 'altered') throw await alteredFile(port.name, consignment, receipt.content)
    if (receipt.kind === 'surprise') {
      surprises += 1
      if (surprises > MOST_SURPRISES) throw restless(port.name, consignment)
      doubts = { lacking: new Set([...doubts.lacking, ...receipt.lacking]), bases: doubts.bases || receipt.bases }
      continue
    }
    for (const [number, { target }] of consignment.wanted.entries()) {
      const { bytes = 0, skipped = true } = receipt.targets[number] ?? {}
      laid.set(target, skipped ? THERE : { bytes, sent: consignment.sent[number] ?? 0, skipped })
    }
    await Promise.all(consignment.wanted.map(({ inventory }) => port.inventories.keep(inventory)))
    const now = consignment.wanted.map(({ target, inventory }) => ({ folder: target, inventory }))
    drawn = [...now, ...drawn]
    left = left.slice(consignment.wanted.length)
  }
  return laid
}

async function send(journey: Journey, consignment: Consignment): Promise<Receipt> {
  const { port, line, options, fence } = journey
  const packer = await packerFor(journey, consignment)
  const { command, feed } = delivery(consignment, { packer, fence })
  const outcome = await port.remote(command, { ...options, feed })
  const receipt = readReceipt({ name: port.name, consignment, fence }, outcome)
  if (receipt.kind === 'laid' && packer === undefined && consignment.bytes >= MEASURABLE_BYTES) {
    line.pace = consignment.bytes / Math.max(1, receipt.receivedMs)
  }
  return receipt
}

async function packerFor({ port, line, survey }: Journey, { bytes }: Consignment): Promise<Packer | undefined> {
  if (!isWorthPacking(bytes, line.pace, 'zstd')) return undefined
  line.hasZstd ??= port.local({ program: 'sh', argv: ['-c', 'command -v zstd'] }).then(({ ok }) => ok)
  const packer = survey.packer === 'zstd' && (await line.hasZstd) ? 'zstd' : 'gzip'
  return isWorthPacking(bytes, line.pace, packer) ? packer : undefined
}

function mostBytes({ pace }: Line): number {
  return pace === undefined ? FIRST_CONSIGNMENT : LARGEST_CONSIGNMENT
}

function restless(name: string, { wanted }: Consignment): Error {
  return refusal(
    'hosts/upload',
    `host ${name}, ${wanted.map(({ target }) => target).join(', ')}`,
    'could not be laid: what lies beside it changes all the time',
    'Does somebody write to the artifacts there, or does another Drover remove them?',
  )
}

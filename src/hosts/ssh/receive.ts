import type { Command, Outcome } from '../host.ts'
import { fencedRefusal } from '../fenced.ts'
import type { Fence } from '../operation.ts'
import type { Consignment } from './consignment.ts'
import { programText } from './program-text.ts'
import type { Feed } from './session.ts'
import { uploadFailure } from './upload-failure.ts'

const RECEIVE = programText('receive')

export interface Delivery {
  readonly command: Command
  readonly feed: Feed
}

/** The command that receives a consignment on the host, and what it is fed with. */
export function delivery(
  { orders, files, wanted, bytes }: Consignment,
  { packer, fence }: { readonly packer: Feed['packer']; readonly fence: Fence | undefined },
): Delivery {
  const first = fence === undefined ? '' : ['fence', fence.root, fence.number].map((word) => `${word}\0`).join('')
  return {
    command: {
      program: 'perl',
      argv: ['-e', RECEIVE, ...(packer === undefined ? [] : [packer])],
      summary: `receive ${wanted.map(({ target }) => target).join(' ')}`,
    },
    feed: {
      text: first + orders,
      files: files.map(({ file }) => file),
      bytes,
      ...(packer === undefined ? {} : { packer }),
    },
  }
}

/**
 * A surprise: what lies on the host is not what it should be, and nothing was laid. Altered: the first of the contents that
 * arrived otherwise than they were announced, and nothing was laid.
 */
export type Receipt =
  | { readonly kind: 'laid'; readonly targets: readonly LaidTarget[]; readonly receivedMs: number }
  | { readonly kind: 'altered'; readonly content: string }
  | { readonly kind: 'surprise'; readonly lacking: readonly string[]; readonly bases: boolean }

interface LaidTarget {
  /** Of its files. */
  readonly bytes: number
  /** Somebody else had laid it meanwhile. */
  readonly skipped: boolean
}

export interface Sent {
  /** Of the host. */
  readonly name: string
  readonly consignment: Consignment
  readonly fence: Fence | undefined
}

/** Reads what receive.pl said. Throws a Refusal when it did not come to its end. */
export function readReceipt({ name, consignment, fence }: Sent, outcome: Outcome): Receipt {
  const lines = outcome.stdout.split('\n').map((line) => line.split(' '))
  const seen = lines.find(([word]) => word === 'fenced')?.[1]
  if (seen !== undefined && fence !== undefined) throw fencedRefusal(`host ${name}, upload`, fence, Number(seen))
  const lacking = lines.flatMap(([word, content]) => (word === 'lack' && content !== undefined ? [content] : []))
  const bases = lines.some(([word]) => word === 'bases')
  if (lacking.length > 0 || bases) return { kind: 'surprise', lacking, bases }
  const altered = lines.find(([word]) => word === 'altered' || word === 'cut')?.[1]
  if (altered !== undefined) return { kind: 'altered', content: altered }
  const ends = new Map(lines.map(([word, number]) => [number, word]))
  const targets = consignment.wanted.map(({ inventory }, number) => ({
    bytes: inventory.bytes,
    skipped: ends.get(String(number)) === 'skipped',
  }))
  const isComplete = targets.every(({ skipped }, number) => skipped || ends.get(String(number)) === 'laid')
  const receivedMs = Number(lines.find(([word]) => word === 'received')?.[1])
  if (outcome.ok && isComplete) return { kind: 'laid', targets, receivedMs }
  const paths = consignment.wanted.map(({ target }) => target)
  throw uploadFailure({ name, targets: paths }, outcome)
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Secret } from '../secrets/secret.ts'
import type { SlotSpec } from './runtime.ts'

/** What lies in a slot of the spec that was laid last: `slot.json`, one line of JSON, because a shell reads it. */
export interface LaidSpec {
  readonly key: string
  readonly artifact: string
  readonly config: string
  readonly release: number
  readonly port?: number
  readonly drainMs: number
  /** Digests of the files that were laid with it, so that edited ones are noticed; absent in what older ones laid. */
  readonly files?: LaidFiles
}

export interface LaidFiles {
  /** Of the launcher. */
  readonly run: string
  /** Of the variables of the slot. */
  readonly env: string
}

export function renderSpec(spec: SlotSpec, files?: LaidFiles): string {
  const laid: LaidSpec = {
    key: specKey(spec),
    artifact: spec.artifact,
    config: spec.config,
    release: spec.release,
    ...(spec.port === undefined ? {} : { port: spec.port }),
    drainMs: spec.drainMs,
    ...(files === undefined ? {} : { files }),
  }
  return `${JSON.stringify(laid)}\n`
}

const laidSpec = z.object({
  key: z.string(),
  artifact: z.string(),
  config: z.string(),
  release: z.number(),
  port: z.number().optional(),
  drainMs: z.number(),
  files: z.object({ run: z.string(), env: z.string() }).optional(),
})

/** What a file is told by: of the variables, which hold a token, no more than that. */
export function fileDigest(text: string | Secret): string {
  return createHash('sha256')
    .update(text instanceof Secret ? text.open() : text)
    .digest('hex')
}

/** undefined when it is none: torn by a power cut, or somebody else's. */
export function readSpec(json: string): LaidSpec | undefined {
  const spec = laidSpec.safeParse(parsed(json))
  if (!spec.success) return undefined
  const { port, files, ...others } = spec.data
  return { ...others, ...(port === undefined ? {} : { port }), ...(files === undefined ? {} : { files }) }
}

/**
 * Equal for specs that are the same program run in the same way. The release that put it there does not count, nor
 * do the slot's own variables: what of them matters to the program follows from the rest.
 */
export function specKey(spec: SlotSpec): string {
  const parts = [spec.artifact, spec.config, spec.start, spec.cwd, spec.environmentFile, spec.port, spec.restart]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** Each slot once. Two different specs for one slot at the same time are a mistake of the caller's. */
export function uniqueSlots(specs: readonly SlotSpec[]): readonly SlotSpec[] {
  const first = new Map<string, SlotSpec>()
  for (const spec of specs) {
    const name = `${spec.service}.${spec.slot}`
    const other = first.get(name)
    if (other !== undefined && specKey(other) !== specKey(spec)) {
      throw new TypeError(`two different specs for ${name} at the same time`)
    }
    first.set(name, other ?? spec)
  }
  return [...first.values()]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

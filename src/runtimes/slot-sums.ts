import { readFileSync } from 'node:fs'
import type { Finding } from '../hosts/finding.ts'
import { layout } from '../hosts/layout.ts'
import type { LaidSpec } from './laid-spec.ts'
import type { SlotRef, SlotReport } from './runtime.ts'
import { slotName } from './slot-refs.ts'

/** Digests of files on a host, by path. */
export type Sums = ReadonlyMap<string, string>

/** A slot in which something was laid. */
export type LaidSlot = SlotRef & { readonly spec: LaidSpec }

/** Shell, to be appended to a script. */
export const SLOT_SUMS = readFileSync(new URL('slot-sums.sh', import.meta.url), 'utf8')

/** Reads what it printed, among other lines. */
export function readSums(text: string): Sums {
  const sums = new Map<string, string>()
  for (const [, sum = '', file = ''] of text.matchAll(/^sum ([0-9a-f]{64}) [ *](.*)$/gm)) sums.set(file, sum)
  return sums
}

/** Digests of the environment files of slots, by the names of the slots. */
export function environmentsOf(root: string, reports: readonly SlotReport[], sums: Sums): Map<string, string> {
  const environments = new Map<string, string>()
  for (const report of reports) {
    const { service, config } = report
    const sum = config === undefined ? undefined : sums.get(layout(root).environment(service, config))
    if (sum !== undefined) environments.set(slotName(report), sum)
  }
  return environments
}

/** Files of a slot that are not as they were laid. `files`: where they lie. */
export function editedFiles(
  { service, slot, spec }: LaidSlot,
  files: { readonly run: string; readonly variables: string },
  sums: Sums,
): Finding[] {
  if (spec.files === undefined) return []
  const checked = [
    ['its launcher', files.run, spec.files.run],
    ['what its slot adds to its environment', files.variables, spec.files.env],
  ] as const
  return checked.flatMap(([what, path, laid]): Finding[] => {
    const found = sums.get(path)
    if (found === laid) return []
    const how = found === undefined ? 'is gone' : 'was edited'
    return [{ kind: 'slot-edited', service, slot, what: `${what} ${how}`, path, mend: 'release' }]
  })
}

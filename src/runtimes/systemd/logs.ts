import { slotUnit } from '../../hosts/drover-host/units.ts'
import { refusal } from '../../problem/problem.ts'
import type { Runtime, SlotRef } from '../runtime.ts'
import { readJournalScript } from './scripts.ts'
import { slotFiles } from './slot-files.ts'
import type { SystemdPlace } from './place.ts'

const ENDLESS_MS = 2 ** 31 - 1
const MAX_TAIL_BYTES = 16 * 1024 * 1024

/** The last lines that a slot wrote since its spec was laid. */
export async function tailLog(place: SystemdPlace, slot: SlotRef, lines: number): Promise<string[]> {
  const { host } = place
  const outcome = await host.run(
    {
      program: 'perl',
      argv: journalArgv(place, [slot], { lines, follow: false }),
      summary: `read the log of ${slotUnit(place, slot.service, slot.slot)}`,
    },
    { maxOutputBytes: MAX_TAIL_BYTES },
  )
  return outcome.stdout
    .split('\n')
    .filter((line) => line.startsWith('0 '))
    .map((line) => line.slice(2))
}

/** Follows slots with one process there, for as long as the signal lets it. */
export async function followLogs(
  place: SystemdPlace,
  slots: readonly SlotRef[],
  options: Parameters<Runtime['follow']>[3],
): Promise<void> {
  const { host } = place
  if (slots.length === 0 || options.signal.aborted) return
  const argv = journalArgv(place, slots, { lines: options.lines, follow: true })
  const outcome = await host.run(
    { program: 'perl', argv, summary: `follow the logs of ${slots.length} slots` },
    {
      signal: options.signal,
      timeoutMs: ENDLESS_MS,
      maxOutputBytes: 0,
      standing: true,
      onLine: (line, stream) => {
        const space = line.indexOf(' ')
        const slot = stream === 'stdout' && space > 0 ? slots[Number(line.slice(0, space))] : undefined
        if (slot !== undefined && !options.signal.aborted) options.onLine(slot, line.slice(space + 1))
      },
    },
  )
  if (outcome.failure === 'aborted') return
  throw refusal(
    'runtimes/follow-lost',
    `host ${host.name}`,
    `its journal is not followed any more (${outcome.failure ?? 'the follower ended'}): ${outcome.stderr.trim()}`,
    'Was the connection lost? Follow again.',
  )
}

function journalArgv(
  place: SystemdPlace,
  slots: readonly SlotRef[],
  { lines, follow }: { readonly lines: number; readonly follow: boolean },
): readonly string[] {
  const sources = slots.flatMap((slot) => [slotUnit(place, slot.service, slot.slot), slotFiles(place.root, slot).since])
  return ['-e', readJournalScript(), String(Math.max(0, Math.floor(lines))), follow ? '1' : '0', ...sources]
}

import type { Host } from '../../hosts/host.ts'
import type { SlotRef } from '../runtime.ts'
import { slotFiles } from './slot-files.ts'

/** The last lines of a slot's log, the rotated part included. A slot that never wrote has none. */
export async function tailLog(host: Host, root: string, slot: SlotRef, lines: number): Promise<string[]> {
  const files = slotFiles(root, slot)
  const script = 'tail -q -n "$1" -- "$2" "$3" 2>/dev/null | tail -n "$1"'
  const argv = ['-c', script, 'tail', String(Math.max(0, Math.floor(lines))), files.oldLog, files.log]
  const outcome = await host.run({ program: 'sh', argv })
  return outcome.stdout === '' ? [] : outcome.stdout.replace(/\n$/, '').split('\n')
}

export async function followLogs(
  host: Host,
  root: string,
  slots: readonly SlotRef[],
  options: { lines: number; signal: AbortSignal; onLine: (slot: SlotRef, line: string) => void },
): Promise<void> {
  const slotOf = new Map(slots.map((slot) => [slotFiles(root, slot).log, slot]))
  await host.follow([...slotOf.keys()], {
    lines: options.lines,
    signal: options.signal,
    onLine(file, line) {
      const slot = slotOf.get(file)
      if (slot !== undefined) {
        options.onLine(slot, line)
      }
    },
  })
}

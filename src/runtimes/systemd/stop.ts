import { act } from '../../hosts/act.ts'
import { explainHelper } from '../../hosts/drover-host/drover-host.ts'
import type { SlotRef } from '../runtime.ts'
import { drainTime, slotClaim, slotName } from '../slot-refs.ts'
import type { Stopping } from '../slot-refs.ts'
import { scriptOperation } from './scripts.ts'
import { slotFiles } from './slot-files.ts'
import type { SystemdPlace } from './place.ts'

/** Time for everything but the draining itself, which may have to wait for another that drains the same slot. */
const OVERHEAD_MS = 60_000

/** The instance of a service's template, as the helper reads it: `backend@a`. */
export function instanceName({ service, slot }: SlotRef): string {
  return `${service}@${slot}`
}

/**
 * Stops slots together; systemd kills what is left after the drain time that stands in the unit. One that was never
 * started is fine.
 */
export async function stopSlots(place: SystemdPlace, number: number, slots: readonly Stopping[]): Promise<void> {
  const { host, fleet, environment, root } = place
  if (slots.length === 0) return
  const argv = slots.flatMap((slot) => [instanceName(slot), slotFiles(root, slot).folder])
  await act(host, { root, number }, [scriptOperation('end', [fleet, environment, root, ...argv])], {
    label: `stop ${slots.map(slotName).join(', ')}`,
    claims: slots.map(slotClaim),
    timeoutMs: 2 * drainTime(slots) + OVERHEAD_MS,
  }).catch((error: unknown) => {
    throw explainHelper(host.name, error)
  })
}

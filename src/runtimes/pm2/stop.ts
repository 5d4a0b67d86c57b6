import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { drainTime, sameSlot, slotClaim, slotName } from '../slot-refs.ts'
import type { Stopping } from '../slot-refs.ts'
import { endingArgv } from './calls.ts'
import { survey } from './survey.ts'

/** Time for everything but the draining itself, which may have to wait for another that drains the same slot. */
const OVERHEAD_MS = 60_000

/**
 * Stops slots together; the longest drain time is the longest wait. They are marked as stopped and ended; PM2 is not asked
 * but finds out by itself, because the launcher refuses, and shows them as stopped until they are started again. So
 * slots can be stopped whatever has become of PM2, and who waits for a singleton's exchange does not wait for it.
 */
export async function stopSlots(host: Host, fence: Fence, slots: readonly Stopping[]): Promise<void> {
  if (slots.length === 0) {
    return
  }
  const found = await survey(host, fence.root, { slots })
  const laid = slots.filter((slot) => found.slots.some((other) => sameSlot(slot, other)))
  if (laid.length === 0) {
    return
  }
  await act(host, fence, [{ kind: 'run', program: 'sh', argv: endingArgv(fence.root, laid) }], {
    label: `stop ${laid.map(slotName).join(', ')}`,
    claims: laid.map(slotClaim),
    timeoutMs: 2 * drainTime(laid) + OVERHEAD_MS,
  })
}

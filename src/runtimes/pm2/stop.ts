import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import type { SlotRef } from '../runtime.ts'
import { endingArgv, pm2Calls } from './calls.ts'
import type { Pm2Place } from './calls.ts'
import { slotFiles } from './slot-files.ts'
import { survey } from './survey.ts'
import type { SurveyedSlot } from './survey.ts'

/** Time for everything but the draining itself, which may have to wait for another that drains the same slot. */
const OVERHEAD_MS = 60_000

export type Stopping = SlotRef & { readonly drainMs: number }

/** Stops slots together; the longest drain time is the longest wait. */
export async function stopSlots(host: Host, fence: Fence, slots: readonly Stopping[], program: string): Promise<void> {
  if (slots.length === 0) {
    return
  }
  const found = await survey(host, fence.root, { slots })
  const laid = slots.filter((slot) => found.slots.some((other) => sameSlot(slot, other)))
  if (laid.length === 0) {
    return
  }
  await act(host, fence, stopOperations({ root: fence.root, program }, laid, found.slots), {
    label: `stop ${laid.map((slot) => `${slot.service}.${slot.slot}`).join(', ')}`,
    claims: laid.map(slotClaim),
    timeoutMs: 2 * drainTime(laid) + OVERHEAD_MS,
  })
}

/**
 * Marked as stopped first, so that PM2 cannot start them again; then ended; PM2 forgets them last, which is quick
 * because nothing of theirs lives any more. Cut off anywhere, it is simply done again.
 */
export function stopOperations(
  place: Pm2Place,
  slots: readonly Stopping[],
  surveyed: readonly SurveyedSlot[],
): readonly Operation[] {
  const known = registered(slots, surveyed)
  return [
    // Apart from PM2, which others may need while these drain.
    { kind: 'run', program: 'sh', argv: endingArgv(place.root, slots) },
    ...(known.length === 0 ? [] : pm2Calls(place, [{ verb: 'delete', slots: known }])),
    ...known.map((slot): Operation => ({ kind: 'remove', path: slotFiles(place.root, slot).run })),
  ]
}

/** Those that PM2 may know. */
export function registered(slots: readonly Stopping[], surveyed: readonly SurveyedSlot[]): readonly Stopping[] {
  return slots.filter((slot) => surveyed.some((other) => sameSlot(slot, other) && other.registered))
}

/** What a slot is called where two at work on it would disturb each other. */
export function slotClaim(slot: SlotRef): string {
  return `slot ${slot.service}.${slot.slot}`
}

export function drainTime(slots: readonly Stopping[]): number {
  return Math.max(0, ...slots.map((slot) => slot.drainMs))
}

export function sameSlot(one: SlotRef, other: SlotRef): boolean {
  return one.service === other.service && one.slot === other.slot
}

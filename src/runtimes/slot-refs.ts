import type { SlotRef } from './runtime.ts'

/** A slot that is to be stopped, and how long that may take. */
export type Stopping = SlotRef & { readonly drainMs: number }

/** As people read it: `backend.a`. */
export function slotName({ service, slot }: SlotRef): string {
  return `${service}.${slot}`
}

export function sameSlot(one: SlotRef, other: SlotRef): boolean {
  return one.service === other.service && one.slot === other.slot
}

/** What a slot is called where two at work on it would disturb each other. */
export function slotClaim(slot: SlotRef): string {
  return `slot ${slotName(slot)}`
}

/** Slots drain together: the longest of their times. */
export function drainTime(slots: readonly Stopping[]): number {
  return Math.max(0, ...slots.map((slot) => slot.drainMs))
}

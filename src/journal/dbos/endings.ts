import { setTimeout as delay } from 'node:timers/promises'
import type { Ended, Tables } from './tables.ts'

const SHORTEST_MS = 5
/** How late the end of a child that runs in another process may be noticed. */
const LONGEST_MS = 500

/**
 * Waits for workflows to end. One that ends in this process is announced and found within milliseconds; one that a
 * takeover has brought to another process is found by asking, ever less often.
 */
export class Endings {
  readonly #tables: Tables
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** The outcome of this workflow is on record. */
  announce(id: string): void {
    for (const wake of this.#waiting.get(id) ?? []) wake()
  }

  /** The body of this workflow is done. The SDK does not say when it has recorded the outcome: as a rule now. */
  announceSoon(id: string): void {
    if (this.#waiting.has(id)) setTimeout(() => this.announce(id), SHORTEST_MS).unref()
  }

  async first<T>(ids: readonly string[], signal: AbortSignal): Promise<Ended<T>> {
    let alarm = Promise.withResolvers<'woken'>()
    const wake = (): void => alarm.resolve('woken')
    for (const id of ids) this.#waitersOf(id).add(wake)
    try {
      for (let wait = SHORTEST_MS; ; wait = Math.min(wait * 2, LONGEST_MS)) {
        const ended = await this.#tables.firstEnded<T>(ids)
        if (ended !== undefined) return ended
        if ((await Promise.race([alarm.promise, pause(wait, signal)])) === 'woken') {
          alarm = Promise.withResolvers()
          wait = SHORTEST_MS
        }
      }
    } finally {
      for (const id of ids) this.#forget(id, wake)
    }
  }

  #waitersOf(id: string): Set<() => void> {
    const waiters = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, waiters)
    return waiters
  }

  #forget(id: string, wake: () => void): void {
    const waiters = this.#waitersOf(id)
    waiters.delete(wake)
    if (waiters.size === 0) this.#waiting.delete(id)
  }
}

/** Waits until a time on the clock, however far: a timer alone holds 24 days at most. */
export async function waitUntil(time: number, signal: AbortSignal): Promise<void> {
  for (let left = time - Date.now(); left > 0; left = time - Date.now()) {
    await pause(Math.min(left, 2 ** 31 - 1), signal)
  }
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal })
}

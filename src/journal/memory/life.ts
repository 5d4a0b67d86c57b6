import { setTimeout as delay } from 'node:timers/promises'
import type { FaultPoints } from '../faults.ts'
import { unlessAborted } from '../silence.ts'

/** Time as the engine sees it; a test may hand in its own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const REAL_CLOCK: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
}

/** What one process would be: from a launch to a crash. After it, nothing that was under way has an outcome. */
export class Life {
  readonly clock: Clock
  readonly faults: FaultPoints
  readonly #over = new AbortController()

  constructor(clock: Clock, faults: FaultPoints) {
    this.clock = clock
    this.faults = faults
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  end(): void {
    this.#over.abort(new Error('the process has died'))
  }

  unlessOver<T>(work: () => Promise<T>): Promise<T> {
    return unlessAborted(this.over, work)
  }
}

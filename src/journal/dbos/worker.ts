import { setTimeout as delay } from 'node:timers/promises'
import type { FaultPoints } from '../faults.ts'
import { unlessAborted } from '../silence.ts'
import { Endings } from './endings.ts'
import type { Membership } from './membership.ts'
import type { LogEntry } from './sdk.ts'
import type { Tables } from './tables.ts'

/** What the workflows that run in this process share. */
export class Worker {
  readonly tables: Tables
  readonly endings: Endings
  readonly faults: FaultPoints
  readonly log: (entry: LogEntry) => void
  /** The last tries of steps whose worker died in them. */
  readonly suspects = new OneByOne()
  readonly #membership: Membership
  readonly #closing = new AbortController()
  readonly #bodies = new Set<Promise<unknown>>()

  constructor(of: {
    readonly membership: Membership
    readonly tables: Tables
    readonly faults: FaultPoints
    readonly log: (entry: LogEntry) => void
  }) {
    this.#membership = of.membership
    this.tables = of.tables
    this.endings = new Endings(of.tables)
    this.faults = of.faults
    this.log = of.log
  }

  /** Aborts when this process ends or has lost its place: nothing may begin, and no outcome may be recorded. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  fence(): Promise<number> {
    return this.#membership.fence()
  }

  unlessClosing<T>(work: () => Promise<T>): Promise<T> {
    return unlessAborted(this.closing, work)
  }

  /** Counts a step's body as under way. */
  async inFlight<T>(work: () => Promise<T>): Promise<T> {
    const gate = Promise.withResolvers<void>()
    this.#bodies.add(gate.promise)
    try {
      return await work()
    } finally {
      this.#bodies.delete(gate.promise)
      gate.resolve()
    }
  }

  /** Interrupts what is under way and waits until it has ended, at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closing.abort(new Error('Drover is shutting down'))
    await Promise.race([Promise.allSettled(this.#bodies), delay(graceMs, undefined, { ref: false })])
  }
}

/** A line: each waits for the one before it. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve()

  async pass<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Rehearsal, WorkerProcess } from './rehearsal.ts'
import type { Orders } from './worker-process.ts'

/** Workers that are started again whenever they die, as an operating system's services would be. */
export class Services {
  readonly #rehearsal: Rehearsal
  readonly #orders: Partial<Orders>
  readonly #current = new Map<string, WorkerProcess>()
  #watching: Promise<void>[]
  #ending = false
  /** How often one of them died. */
  deaths = 0

  constructor(rehearsal: Rehearsal, ids: readonly string[], orders: Partial<Pick<Orders, 'lease'>> = {}) {
    this.#rehearsal = rehearsal
    this.#orders = orders
    this.#watching = ids.map((id) => this.#keepAlive(id))
  }

  /** Asks whichever worker lives, again when it dies meanwhile. */
  async ask(work: (worker: WorkerProcess) => Promise<void>): Promise<void> {
    for (const end = performance.now() + 30_000; performance.now() < end; await delay(50)) {
      for (const worker of this.#current.values()) {
        const done = await worker
          .ready()
          .then(work)
          .then(
            () => true,
            () => false,
          )
        if (done) return
      }
    }
    assert.fail('no worker answers')
  }

  kill(id: string): void {
    this.#current.get(id)?.signal('SIGKILL')
  }

  async end(): Promise<void> {
    this.#ending = true
    await Promise.all([...this.#current.values()].map((worker) => worker.kill()))
    await Promise.all(this.#watching)
  }

  async #keepAlive(id: string): Promise<void> {
    while (!this.#ending) {
      const worker = this.#rehearsal.spawn(id, this.#orders)
      this.#current.set(id, worker)
      await worker.ended
      if (!this.#ending) this.deaths++
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Host, Probe, ProbeAnswer } from '../hosts/host.ts'
import type { Runtime, SlotRef, SlotReport } from './runtime.ts'

const ROUND_MS = 40
/** Looking at the processes costs a command; asking by HTTP does not. */
const OBSERVE_EVERY_MS = 250
/** Who cannot start has exited by then, and nothing has started it again. */
const FIRST_LOOK_MS = 100
/** A look at many slots takes time from them: they are being started. It may have this share of it. */
const OBSERVE_SHARE = 0.2
/** A slot that answers slower than this is asked apart from then on, so that it does not hold up the others. */
const QUICK_ANSWER_MS = 300
const PATIENT_ANSWER_MS = 5_000

/** Someone who waits for something of one slot. */
export interface Watcher {
  readonly slot: SlotRef
  /** What to ask it over and over; absent for a slot without a port. */
  readonly question?: { readonly port: number; readonly path: string }
  /** True when the next round should look at the process, however short ago the last look was. */
  readonly wantsReport: () => boolean
  readonly onAnswer: (answer: ProbeAnswer) => void
  readonly onReport: (report: SlotReport) => void
  /** The host cannot be asked; the watcher is let go. */
  readonly onError: (error: unknown) => void
}

/** The slots of one environment on one host. */
export interface PollTarget {
  readonly host: Host
  readonly runtime: Runtime
  readonly root: string
}

const pollers = new WeakMap<Host, Poller[]>()

/**
 * Adds a watcher to the one loop that asks this environment on this host; returns how to let it go. All watchers of a
 * loop share its probes and looks, so that nineteen waiting slots cost what one costs.
 */
export function watch(target: PollTarget, watcher: Watcher): () => void {
  const ofHost = pollers.get(target.host) ?? []
  pollers.set(target.host, ofHost)
  let poller = ofHost.find((one) => one.target.runtime === target.runtime && one.target.root === target.root)
  if (poller === undefined) {
    poller = new Poller(target)
    ofHost.push(poller)
  }
  return poller.add(watcher)
}

interface Watching {
  readonly watcher: Watcher
  patient: boolean
  asked: boolean
}

class Poller {
  readonly target: PollTarget
  readonly #watching = new Set<Watching>()
  #running = false
  #observedAt = 0
  #observeEvery = OBSERVE_EVERY_MS

  constructor(target: PollTarget) {
    this.target = target
  }

  add(watcher: Watcher): () => void {
    const watching = { watcher, patient: false, asked: false }
    this.#watching.add(watching)
    if (!this.#running) {
      this.#running = true
      this.#observeEvery = OBSERVE_EVERY_MS
      this.#observedAt = performance.now() - OBSERVE_EVERY_MS + FIRST_LOOK_MS
      void this.#loop()
    }
    return () => this.#watching.delete(watching)
  }

  async #loop(): Promise<void> {
    // Watchers that come in the same turn belong in the first round.
    await Promise.resolve()
    while (this.#watching.size > 0) {
      try {
        await this.#round()
      } catch (error) {
        this.#letAllGo(error)
      }
      if (![...this.#watching].some(({ watcher }) => watcher.wantsReport())) {
        await sleep(ROUND_MS)
      }
    }
    this.#running = false
  }

  async #round(): Promise<void> {
    const quick = [...this.#watching].filter((one) => !one.patient && one.watcher.question !== undefined)
    const patient = [...this.#watching].filter((one) => one.patient && !one.asked)
    for (const one of patient) {
      this.#ask([one], PATIENT_ANSWER_MS).catch((error: unknown) => this.#letAllGo(error))
    }
    await Promise.all([this.#observe(), this.#ask(quick, QUICK_ANSWER_MS)])
  }

  async #observe(): Promise<void> {
    const began = performance.now()
    const isDue = began - this.#observedAt >= this.#observeEvery
    const looked = isDue ? [...this.#watching] : [...this.#watching].filter(({ watcher }) => watcher.wantsReport())
    if (looked.length === 0) return
    const { host, runtime, root } = this.target
    const reports = await runtime.observe(
      host,
      root,
      looked.map(({ watcher }) => watcher.slot),
    )
    if (isDue) {
      this.#observedAt = began
      this.#observeEvery = Math.max(OBSERVE_EVERY_MS, (performance.now() - began) / OBSERVE_SHARE)
    }
    looked.forEach((one, index) => {
      const report = reports[index]
      if (report !== undefined && this.#watching.has(one)) {
        one.watcher.onReport(report)
      }
    })
  }

  async #ask(watching: readonly Watching[], timeoutMs: number): Promise<void> {
    const questions = watching.flatMap((one) =>
      one.watcher.question === undefined ? [] : [{ one, ...one.watcher.question }],
    )
    if (questions.length === 0) {
      return
    }
    for (const { one } of questions) {
      one.asked = true
    }
    const probes = questions.map(({ port, path }): Probe => ({ port, path, timeoutMs }))
    const answers = await this.target.host.probe(probes)
    questions.forEach(({ one }, index) => {
      one.asked = false
      const answer = answers[index]
      if (answer !== undefined && this.#watching.has(one)) {
        one.patient = answer.durationMs >= QUICK_ANSWER_MS
        one.watcher.onAnswer(answer)
      }
    })
  }

  #letAllGo(error: unknown): void {
    const all = [...this.#watching]
    this.#watching.clear()
    for (const { watcher } of all) {
      watcher.onError(error)
    }
  }
}

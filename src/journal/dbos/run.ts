import { DBOS } from '@dbos-inc/dbos-sdk'
import type { Run, Settled, StepOptions, Workflow } from '../engine.ts'
import { failureAsError } from '../failure.ts'
import { type GraphOptions, type Node, playGraph } from '../graph.ts'
import { Turnstile } from '../turnstile.ts'
import type { Origin } from '../definition.ts'
import { waitUntil } from './endings.ts'
import { whenRecorded } from './sdk.ts'
import { runBody } from './step.ts'
import type { Worker } from './worker.ts'

/** How late a workflow that waits for a message may notice that it was cancelled. */
const RECEIVE_POLL_MS = 500

/** The registered function behind each workflow's name. */
export type Registered = (input: unknown, origin: Origin) => Promise<unknown>

/** One execution of a workflow's body. Everything it does is found again by position and name (rule E1). */
export class DbosRun implements Run {
  readonly id: string
  readonly #origin: Origin
  readonly #worker: Worker
  readonly #maxTries: number
  readonly #registered: ReadonlyMap<string, Registered>
  readonly #turnstile = new Turnstile()

  constructor(of: {
    readonly id: string
    readonly origin: Origin
    readonly worker: Worker
    readonly maxTries: number
    readonly registered: ReadonlyMap<string, Registered>
  }) {
    this.id = of.id
    this.#origin = of.origin
    this.#worker = of.worker
    this.#maxTries = of.maxTries
    this.#registered = of.registered
  }

  async step<T>(name: string, body: (signal: AbortSignal) => Promise<T>, options: StepOptions = {}): Promise<T> {
    const full = `${this.#origin.key}.${name}`
    const step = { workflow: this.id, name: full, lane: this.#origin.lane, body, options, maxTries: this.#maxTries }
    const record = await this.#alone(full, () => DBOS.runStep(() => runBody(this.#worker, step), { name: full }))
    if ('failed' in record) throw failureAsError(record.failed)
    return record.done
  }

  async child<I, O>(workflow: Workflow<I, O>, key: string, input: I): Promise<Settled<O>> {
    return this.#alone(`child ${key}`, async () => {
      await this.#start(workflow, key, input)
      return (await this.#next<O>([key])).settled
    })
  }

  async graph<I, O>(
    workflow: Workflow<I, O>,
    nodes: readonly Node<I>[],
    options: GraphOptions = {},
  ): Promise<Map<string, Settled<O>>> {
    return this.#alone('graph', () =>
      playGraph<I, O>(nodes, options, {
        start: (node) => this.#start(workflow, node.key, node.input),
        next: (keys) => this.#next<O>(keys),
        cancel: (keys) =>
          DBOS.cancelWorkflows(
            keys.map((key) => this.#childId(key)),
            { cancelChildren: true },
          ),
      }),
    )
  }

  async now(): Promise<number> {
    return this.#alone('now', () => DBOS.now())
  }

  async sleepUntil(time: number): Promise<void> {
    // Not the SDK's own sleep, which sleeps on when its workflow is cancelled.
    await this.#alone('sleep', () => this.#wait('sleep', (signal) => waitUntil(time, signal)))
  }

  async receive<T>(topic: string, timeoutMs: number): Promise<T | undefined> {
    const options = { timeoutSeconds: timeoutMs / 1000, pollingIntervalMs: RECEIVE_POLL_MS }
    const received = await this.#alone('receive', async () => {
      // While it waits, the SDK has recorded the second place it takes and not the first; `patch` would take that for
      // a place where this run has not been yet.
      await DBOS.runStep(() => Promise.resolve(), { name: `${this.#origin.key}.receive` })
      return DBOS.recv<{ readonly message: T } | undefined>(topic, options)
    })
    return received?.message
  }

  async patch(name: string): Promise<boolean> {
    return this.#alone('patch', () => DBOS.patch(name))
  }

  async #start<I>(workflow: Workflow<I, unknown>, key: string, input: I): Promise<void> {
    const { lane } = this.#origin
    const origin: Origin = { key, child: true, ...(lane === undefined ? {} : { lane }) }
    const registered = this.#registered.get(workflow.name)
    if (registered === undefined) throw new Error(`workflow ${workflow.name} is not defined here`)
    const id = this.#childId(key)
    const handle = await DBOS.startWorkflow(registered, { workflowID: id })(input, origin)
    whenRecorded(handle, () => this.#worker.endings.announce(id))
  }

  /** Which of several children ended first is recorded, so that a replay goes the same way. */
  async #next<O>(keys: readonly string[]): Promise<{ readonly key: string; readonly settled: Settled<O> }> {
    const ids = keys.map((key) => this.#childId(key))
    const { id, settled } = await this.#wait('next', (signal) => this.#worker.endings.first<O>(ids, signal))
    return { key: id.slice(this.id.length + 1), settled }
  }

  /** A recorded wait. It kills nobody and needs no attempts counted. */
  async #wait<T>(name: string, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const work = (): Promise<T> => {
      const cancelled = DBOS.stepStatus?.cancelSignal
      const { closing } = this.#worker
      return this.#worker.unlessClosing(() =>
        body(cancelled === undefined ? closing : AbortSignal.any([cancelled, closing])),
      )
    }
    return DBOS.runStep(work, { name: `${this.#origin.key}.${name}` })
  }

  #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#turnstile.pass(what, () => this.#worker.unlessClosing(work))
  }

  #childId(key: string): string {
    return `${this.id}/${key}`
  }
}

import { attempt, type Sleep } from '../attempts.ts'
import type { Run, Settled, StepOptions, Workflow, WorkflowError } from '../engine.ts'
import { describeFailure, failureAsError, poisoned } from '../failure.ts'
import { type GraphOptions, type Node, playGraph } from '../graph.ts'
import { decode, encode } from '../json.ts'
import { Turnstile } from '../turnstile.ts'
import type { Flow } from './flow.ts'
import type { Life } from './life.ts'

/** What a run asks of its engine. */
export interface Offspring {
  startChild(parent: Flow, child: { readonly workflow: string; readonly key: string; readonly input: unknown }): void
  find(id: string): Flow
  cancel(id: string): Promise<void>
}

/** Thrown into a body whose workflow is cancelled; not a failure. */
export class Cancelled extends Error {}

type StepRecord<T> = { readonly done: T } | { readonly failed: WorkflowError }

/** One execution of a body over its journal, with the promises of the real engine's. */
export class MemoryRun implements Run {
  readonly id: string
  readonly #flow: Flow
  readonly #life: Life
  readonly #offspring: Offspring
  readonly #turnstile = new Turnstile()
  #position = 0

  constructor(flow: Flow, life: Life, offspring: Offspring) {
    this.id = flow.id
    this.#flow = flow
    this.#life = life
    this.#offspring = offspring
  }

  async step<T>(name: string, body: (signal: AbortSignal) => Promise<T>, options: StepOptions = {}): Promise<T> {
    const full = `${this.#flow.origin.key}.${name}`
    const record = await this.#alone(full, () => this.#recorded(full, () => this.#runBody(full, body, options)))
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
          this.#recorded('cancel', async () => {
            for (const key of keys) await this.#offspring.cancel(`${this.id}/${key}`)
          }),
      }),
    )
  }

  async now(): Promise<number> {
    return this.#alone('now', () => this.#recorded('now', async () => this.#life.clock.now()))
  }

  async sleepUntil(time: number): Promise<void> {
    const { clock } = this.#life
    await this.#alone('sleep', () =>
      this.#recorded('sleep', () => clock.sleep(Math.max(0, time - clock.now()), this.#signal)),
    )
  }

  async receive<T>(topic: string, timeoutMs: number): Promise<T | undefined> {
    const message = await this.#alone('receive', async () => {
      await this.#recorded('receive', async () => undefined)
      const { mail } = this.#flow
      const taken = (received: unknown): void => (received === undefined ? undefined : mail.take(topic))
      return this.#recorded('received', () => this.#waitForMail(topic, timeoutMs), taken)
    })
    return message === undefined ? undefined : decode(message)
  }

  async patch(name: string): Promise<boolean> {
    return this.#alone('patch', async () => {
      // Taken before the first wait, as the starts of a graph are under way together.
      const position = this.#position++
      const entry = this.#flow.journal[position]
      if (entry !== undefined && entry.name !== `patch ${name}`) return false
      return this.#recorded(`patch ${name}`, async () => true)
    })
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#flow.cancelled.signal, this.#life.over])
  }

  async #runBody<T>(
    name: string,
    body: (signal: AbortSignal) => Promise<T>,
    options: StepOptions,
  ): Promise<StepRecord<T>> {
    const { begun, definition } = this.#flow
    const tries = (begun.get(this.#position) ?? 0) + 1
    begun.set(this.#position, tries)
    if (tries > definition.maxRecoveryAttempts + 1) return { failed: describeFailure(poisoned(name, tries - 1)) }
    await this.#life.unlessOver(() => this.#life.faults.reach(`${name}:before`))
    const record = await this.#life.unlessOver(() => this.#settle(body, options))
    await this.#life.unlessOver(() => this.#life.faults.reach(`${name}:after`))
    return record
  }

  async #settle<T>(body: (signal: AbortSignal) => Promise<T>, options: StepOptions): Promise<StepRecord<T>> {
    try {
      const { clock } = this.#life
      const sleep: Sleep = (ms, signal) => clock.sleep(ms, signal)
      return { done: await attempt({ body, options, signal: this.#signal, sleep }) }
    } catch (error) {
      return { failed: describeFailure(error) }
    }
  }

  async #start<I>(workflow: Workflow<I, unknown>, key: string, input: I): Promise<void> {
    await this.#recorded(`start ${key}`, async () =>
      this.#offspring.startChild(this.#flow, { workflow: workflow.name, key, input }),
    )
  }

  async #next<O>(keys: readonly string[]): Promise<{ readonly key: string; readonly settled: Settled<O> }> {
    return this.#recorded(`next`, async () => {
      const flows = keys.map((key) => ({ key, flow: this.#offspring.find(`${this.id}/${key}`) }))
      for (;;) {
        const first = flows.find(({ flow }) => flow.settled !== undefined)
        if (first?.flow.settled !== undefined) return { key: first.key, settled: reopen<O>(first.flow.settled) }
        await this.#unlessCancelled(Promise.race(flows.map(({ flow }) => flow.ended)))
      }
    })
  }

  async #waitForMail(topic: string, timeoutMs: number): Promise<string | undefined> {
    const timer = new AbortController()
    const late = this.#life.clock.sleep(timeoutMs, AbortSignal.any([timer.signal, this.#signal])).then(
      () => true,
      () => true,
    )
    try {
      for (let isLate = false; !isLate;) {
        const message = this.#flow.mail.peek(topic)
        if (message !== undefined) return message
        isLate = await this.#unlessCancelled(Promise.race([late, this.#flow.mail.nextArrival.then(() => false)]))
      }
      return undefined
    } finally {
      timer.abort()
    }
  }

  /** Finds what the journal has at this position, or does the work and writes it down, with what belongs to it. */
  async #recorded<T>(name: string, work: () => Promise<T>, andWith?: (value: T) => void): Promise<T> {
    this.#throwIfCancelled()
    // Taken before the first wait, as the starts of a graph are under way together.
    const position = this.#position++
    const entry = this.#flow.journal[position]
    if (entry !== undefined && entry.name !== name) {
      throw new Error(
        `${entry.name} was recorded where ${name} is expected: did the workflow's code change without a patch?`,
      )
    }
    if (entry === undefined) {
      const value = await this.#life.unlessOver(work)
      this.#throwIfCancelled()
      this.#flow.journal[position] = { name, value: encode(value) }
      andWith?.(value)
    }
    return decode(this.#flow.journal[position]?.value ?? encode(undefined))
  }

  async #unlessCancelled<T>(wait: Promise<T>): Promise<T> {
    const { signal } = this.#flow.cancelled
    const gone = Promise.withResolvers<never>()
    const stop = (): void => gone.reject(new Cancelled())
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([wait, gone.promise])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #throwIfCancelled(): void {
    if (this.#flow.cancelled.signal.aborted) throw new Cancelled()
  }

  #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#turnstile.pass(what, () => this.#life.unlessOver(work))
  }
}

/** A settled value as its reader gets it. */
export function reopen<T>(settled: Settled<string>): Settled<T> {
  return settled.status === 'done' ? { status: 'done', value: decode(settled.value) } : settled
}

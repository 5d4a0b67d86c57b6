import { AsyncLocalStorage } from 'node:async_hooks'
import { refusal } from '../../problem/problem.ts'
import { DEFAULT_RECOVERIES, type Definition, type Origin } from '../definition.ts'
import type { Engine, Run, Settled, Workflow } from '../engine.ts'
import { describeFailure } from '../failure.ts'
import { type FaultPoints, NO_FAULTS } from '../faults.ts'
import { decode, encode } from '../json.ts'
import { Flow } from './flow.ts'
import { type Clock, Life, REAL_CLOCK } from './life.ts'
import { Cancelled, MemoryRun, type Offspring, reopen } from './run.ts'

export interface MemoryEngineOptions {
  readonly clock?: Clock
  /** May call `crashAndResume`: the step at that point then has no outcome and is begun again. */
  readonly faults?: FaultPoints
}

export interface MemoryEngine extends Engine {
  /**
   * As if the process had been killed and started again: what every workflow recorded is kept, what was under way is
   * dropped (its signals abort), the fence rises, and all bodies run again over their journals.
   */
  crashAndResume(): void
  /** The names of what a workflow has recorded, in order. */
  recorded(id: string): string[]
}

/** The engine's promises without a database, for fast tests of what stands on it. Nothing outlives the process. */
export function memoryEngine(options: MemoryEngineOptions = {}): MemoryEngine {
  return new InMemoryEngine(options)
}

class InMemoryEngine implements MemoryEngine, Offspring {
  readonly #options: MemoryEngineOptions
  readonly #definitions = new Map<string, Definition>()
  readonly #flows = new Map<string, Flow>()
  readonly #lanes = new Map<string, Flow[]>()
  /** In which life the present code runs: that of a dead process gets no fence. */
  readonly #within = new AsyncLocalStorage<Life>()
  #life: Life | undefined
  #fence = 0

  constructor(options: MemoryEngineOptions) {
    this.#options = options
  }

  define<I, O>(
    name: string,
    body: (run: Run, input: I) => Promise<O>,
    options: { maxRecoveryAttempts?: number } = {},
  ): Workflow<I, O> {
    if (this.#life !== undefined) throw new Error(`workflow ${name} is defined after the launch`)
    const { maxRecoveryAttempts = DEFAULT_RECOVERIES } = options
    this.#definitions.set(name, { name, body, maxRecoveryAttempts })
    return { name }
  }

  async launch(): Promise<void> {
    this.#life = this.#newLife()
  }

  crashAndResume(): void {
    this.#here().end()
    this.#life = this.#newLife()
    for (const flow of this.#flows.values()) {
      if (flow.started && flow.settled === undefined) this.#run(flow)
    }
  }

  async start<I>(workflow: Workflow<I, unknown>, id: string, input: I, options: { lane?: string } = {}): Promise<void> {
    this.#here()
    if (this.#flows.has(id)) return
    const flow = this.#add({ id, name: workflow.name, origin: { key: workflow.name, ...options }, input })
    if (options.lane === undefined) return this.#run(flow)
    const lane = this.#lanes.get(options.lane) ?? []
    this.#lanes.set(options.lane, [...lane, flow])
    if (lane.length === 0) this.#run(flow)
  }

  async cancel(id: string): Promise<void> {
    for (const flow of this.#flows.values()) {
      if (flow.settled !== undefined || (flow.id !== id && !flow.id.startsWith(`${id}/`))) continue
      flow.cancelled.abort(new Cancelled())
      if (!flow.started) this.#settle(flow, { status: 'cancelled' })
    }
  }

  async result(id: string): Promise<Settled<unknown> | undefined> {
    const settled = this.#flows.get(id)?.settled
    return settled === undefined ? undefined : reopen(settled)
  }

  async send(id: string, topic: string, message: unknown, key?: string): Promise<void> {
    const flow = this.#flows.get(id)
    if (flow === undefined) {
      throw refusal('journal/no-such-workflow', `workflow ${id}`, 'is not known', 'Has it ended long ago?')
    }
    flow.mail.put(topic, encode(message), key)
  }

  async fence(): Promise<number> {
    if (this.#within.getStore()?.over.aborted === true) throw new Error('this process has died')
    return this.#fence
  }

  async shutdown(): Promise<void> {
    this.#life?.end()
    this.#life = undefined
  }

  recorded(id: string): string[] {
    return this.find(id).journal.map(({ name }) => name)
  }

  find(id: string): Flow {
    const flow = this.#flows.get(id)
    if (flow === undefined) throw new Error(`there is no workflow ${id}`)
    return flow
  }

  /** For a run: starts a child unless it was started before. */
  startChild(parent: Flow, child: { readonly workflow: string; readonly key: string; readonly input: unknown }): void {
    const id = `${parent.id}/${child.key}`
    if (this.#flows.has(id)) return
    this.#run(
      this.#add({
        id,
        name: child.workflow,
        origin: { ...parent.origin, key: child.key, child: true },
        input: child.input,
      }),
    )
  }

  #add(of: { readonly id: string; readonly name: string; readonly origin: Origin; readonly input: unknown }): Flow {
    const definition = this.#definitions.get(of.name)
    if (definition === undefined) throw new Error(`workflow ${of.name} is not defined here`)
    const flow = new Flow({ id: of.id, definition, origin: of.origin, input: encode(of.input) })
    this.#flows.set(of.id, flow)
    return flow
  }

  #run(flow: Flow): void {
    const life = this.#here()
    flow.started = true
    void this.#within.run(life, () => this.#execute(flow, life))
  }

  async #execute(flow: Flow, life: Life): Promise<void> {
    const settled = await life.unlessOver(() => carryOut(flow, new MemoryRun(flow, life, this)))
    this.#settle(flow, flow.cancelled.signal.aborted ? { status: 'cancelled' } : settled)
  }

  #settle(flow: Flow, settled: Settled<string>): void {
    flow.settle(settled)
    const { lane, child } = flow.origin
    if (lane === undefined || child === true) return
    const waiting = (this.#lanes.get(lane) ?? []).filter((other) => other !== flow)
    this.#lanes.set(lane, waiting)
    if (waiting[0]?.started === false) this.#run(waiting[0])
  }

  #newLife(): Life {
    this.#fence++
    return new Life(this.#options.clock ?? REAL_CLOCK, this.#options.faults ?? NO_FAULTS)
  }

  #here(): Life {
    if (this.#life === undefined) throw new Error('the engine is not launched')
    return this.#life
  }
}

async function carryOut(flow: Flow, run: MemoryRun): Promise<Settled<string>> {
  try {
    return { status: 'done', value: encode(await flow.definition.body(run, decode(flow.input))) }
  } catch (error) {
    return { status: 'failed', error: describeFailure(error) }
  }
}

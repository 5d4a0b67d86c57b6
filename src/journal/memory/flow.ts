import type { Definition, Origin } from '../definition.ts'
import type { Settled } from '../engine.ts'

interface Entry {
  readonly name: string
  /** As `encode` wrote it: what the real journal could not keep is lost here too. */
  readonly value: string
}

/** The durable part of a workflow: what is still there after its process has died. */
export class Flow {
  readonly id: string
  readonly definition: Definition
  readonly origin: Origin
  readonly input: string
  readonly journal: Entry[] = []
  /** How often the step at each position was begun. */
  readonly begun = new Map<number, number>()
  readonly mail: Mail = new Mail()
  readonly cancelled = new AbortController()
  started = false
  settled: Settled<string> | undefined
  readonly #ended = Promise.withResolvers<void>()

  constructor(of: {
    readonly id: string
    readonly definition: Definition
    readonly origin: Origin
    readonly input: string
  }) {
    this.id = of.id
    this.definition = of.definition
    this.origin = of.origin
    this.input = of.input
  }

  /** Resolves once it has settled, its body included. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  settle(settled: Settled<string>): void {
    this.settled = settled
    this.#ended.resolve()
  }
}

/** Messages by topic, in the order of their arrival. */
export class Mail {
  readonly #topics = new Map<string, string[]>()
  readonly #keys = new Set<string>()
  #arrival = Promise.withResolvers<void>()

  put(topic: string, message: string, key: string | undefined): void {
    if (key !== undefined && this.#keys.has(key)) return
    if (key !== undefined) this.#keys.add(key)
    this.#topics.set(topic, [...(this.#topics.get(topic) ?? []), message])
    this.#arrival.resolve()
    this.#arrival = Promise.withResolvers()
  }

  /** Stays until it is taken, so that a crash before its receipt is recorded loses nothing. */
  peek(topic: string): string | undefined {
    return this.#topics.get(topic)?.[0]
  }

  take(topic: string): void {
    this.#topics.get(topic)?.shift()
  }

  get nextArrival(): Promise<void> {
    return this.#arrival.promise
  }
}

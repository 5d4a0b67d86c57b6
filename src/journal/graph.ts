import type { Settled } from './engine.ts'

export interface Node<I> {
  readonly key: string
  readonly needs: readonly string[]
  readonly input: I
}

export interface GraphOptions {
  readonly limit?: number
  readonly cancelOnFailure?: boolean
}

/** What an engine does for a graph. Each move is recorded, so that a replay makes the same moves in the same order. */
export interface Moves<I, O> {
  /** Takes its place in that order before it first waits: the starts of several nodes are under way together. */
  start(node: Node<I>): Promise<void>
  /** Waits for one of these children to end. */
  next(keys: readonly string[]): Promise<{ readonly key: string; readonly settled: Settled<O> }>
  cancel(keys: readonly string[]): Promise<void>
}

/**
 * Plays a graph as `Run.graph` promises. Deterministic but for what `next` answers: the order of the nodes decides
 * which of several ready ones starts first.
 */
export async function playGraph<I, O>(
  nodes: readonly Node<I>[],
  options: GraphOptions,
  moves: Moves<I, O>,
): Promise<Map<string, Settled<O>>> {
  checkGraph(nodes)
  const limit = Math.max(1, options.limit ?? Number.POSITIVE_INFINITY)
  const waiting = new Waiting(nodes)
  const running = new Set<string>()
  const ended = new Map<string, Settled<O>>()
  let failed = false
  for (;;) {
    const ready = waiting.takeReady(failed ? 0 : limit - running.size)
    for (const node of ready) running.add(node.key)
    await allStarted(ready.map((node) => moves.start(node)))
    if (running.size === 0) return ended
    const { key, settled } = await moves.next([...running])
    running.delete(key)
    ended.set(key, settled)
    waiting.done(key)
    if (settled.status !== 'done' && !failed) {
      failed = true
      if (options.cancelOnFailure === true && running.size > 0) await moves.cancel([...running])
    }
  }
}

/** When one cannot be started nothing is under way any more that its workflow would leave behind. */
async function allStarted(starts: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(starts)
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}

/** The nodes that have not started. Each edge is looked at once, so that large graphs cost no more than their size. */
class Waiting<I> {
  readonly #ready: Node<I>[] = []
  readonly #missing = new Map<Node<I>, number>()
  readonly #dependents = new Map<string, Node<I>[]>()

  constructor(nodes: readonly Node<I>[]) {
    for (const node of nodes) {
      const needs = new Set(node.needs)
      if (needs.size === 0) this.#ready.push(node)
      else this.#missing.set(node, needs.size)
      for (const need of needs) this.#dependents.set(need, [...(this.#dependents.get(need) ?? []), node])
    }
  }

  takeReady(most: number): Node<I>[] {
    return this.#ready.splice(0, most)
  }

  done(key: string): void {
    for (const node of this.#dependents.get(key) ?? []) {
      const missing = (this.#missing.get(node) ?? 0) - 1
      this.#missing.set(node, missing)
      if (missing === 0) this.#ready.push(node)
    }
  }
}

/** A plan never has such faults; a graph that can't be played to its end must not be begun. */
function checkGraph(nodes: readonly Node<unknown>[]): void {
  const needs = new Map(nodes.map((node) => [node.key, node.needs]))
  if (needs.size !== nodes.length) throw new Error('two nodes of a graph have the same key')
  const finished = new Set<string>()
  const open = new Set<string>()
  const visit = (key: string): void => {
    if (finished.has(key)) return
    const wanted = needs.get(key)
    if (wanted === undefined) throw new Error(`a node of a graph needs ${key}, which is not in it`)
    if (open.has(key)) throw new Error(`a graph has a cycle through ${key}`)
    open.add(key)
    wanted.forEach(visit)
    finished.add(key)
  }
  for (const key of needs.keys()) visit(key)
}

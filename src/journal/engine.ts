import type { Outcome, Problem } from '../problem/problem.ts'

/**
 * What the release story asks of a durable engine, and no more, so that another engine can replace the present one.
 * A workflow's body is deterministic: everything that touches the world, the clock or chance stands in a `step`.
 * A step runs at least once; once it has returned, its result is the same for ever. Steps are found again by position
 * and name, so a body must not run two steps at the same time (rule E1): parallel work is `graph`, one child each.
 */
export interface Run {
  /** The workflow's id, such as `pakashop/production/42`. */
  readonly id: string
  /** Results must survive JSON. `signal` aborts when the workflow is cancelled. */
  step<T>(name: string, body: (signal: AbortSignal) => Promise<T>, options?: StepOptions): Promise<T>
  /** Runs a child workflow `<id>/<key>` and waits. Its failure is a value. */
  child<I, O>(workflow: Workflow<I, O>, key: string, input: I): Promise<Settled<O>>
  /**
   * Runs one child workflow `<id>/<key>` per node, each as soon as the nodes it needs are done, at most `limit` at
   * once. After the first failure no further node starts and those under way are waited for (and, with
   * `cancelOnFailure`, cancelled first). A node that never started has no entry.
   */
  graph<I, O>(
    workflow: Workflow<I, O>,
    nodes: readonly { readonly key: string; readonly needs: readonly string[]; readonly input: I }[],
    options?: { readonly limit?: number; readonly cancelOnFailure?: boolean },
  ): Promise<Map<string, Settled<O>>>
  /** Milliseconds since the epoch, recorded. */
  now(): Promise<number>
  sleepUntil(time: number): Promise<void>
  /** Waits for a message sent to this workflow; undefined after `timeoutMs`. */
  receive<T>(topic: string, timeoutMs: number): Promise<T | undefined>
  /**
   * Whether this run has the change of that name: `if (await run.patch('scan')) await run.step('scan', …)`. False only
   * for a run that had already gone past this place when the change came; such a run goes on as it began (rule E8).
   */
  patch(name: string): Promise<boolean>
}

export interface StepOptions {
  /** Tries in all, first included; default 1. Waits 0.2 s, doubling. */
  readonly attempts?: number
  readonly retryIf?: (error: unknown) => boolean
}

export type Settled<T> =
  | { readonly status: 'done'; readonly value: T }
  | { readonly status: 'failed'; readonly error: WorkflowError }
  | { readonly status: 'cancelled' }

/** A failure as the journal keeps it. `problems` is set when the error was a Refusal. */
export interface WorkflowError {
  readonly message: string
  readonly problems?: readonly Problem[]
  /** Set with `problems`. */
  readonly outcome?: Outcome
  /** The workflow killed its worker too often and is not tried again. */
  readonly poison?: boolean
}

/** A registered workflow; made by `Engine.define`. The type parameters are its input and output, both JSON. */
export interface Workflow<I, O> {
  readonly name: string
  readonly types?: { readonly input: I; readonly output: O }
}

export interface Engine {
  /**
   * All definitions happen before `launch`. A step is begun again after its worker died in it at most
   * `maxRecoveryAttempts` times, default 2; then it fails as poison. Deaths elsewhere do not count against it.
   */
  define<I, O>(
    name: string,
    body: (run: Run, input: I) => Promise<O>,
    options?: { maxRecoveryAttempts?: number },
  ): Workflow<I, O>
  launch(): Promise<void>
  /** Starts a workflow unless that id exists. Of one `lane` only one runs at a time, in the order of arrival. */
  start<I>(workflow: Workflow<I, unknown>, id: string, input: I, options?: { lane?: string }): Promise<void>
  /** Cancels a workflow and its children; returns once that is recorded, not once the steps have ended. */
  cancel(id: string): Promise<void>
  /** undefined while it runs or waits, when there is no such workflow, and while a cancelled one's steps still end. */
  result(id: string): Promise<Settled<unknown> | undefined>
  /** Messages wait until they are received, in order. Of several with one `key` to one workflow only the first counts. */
  send(id: string, topic: string, message: unknown, key?: string): Promise<void>
  /**
   * The number that changes of hosts are to carry now. Throws when another worker has taken this one's work over. It
   * rises whenever that happens to any worker, so ask in every step, and once more when a host calls it too old.
   */
  fence(): Promise<number>
  shutdown(): Promise<void>
}

import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { DBOS } from '@dbos-inc/dbos-sdk'
import type { Pool } from 'pg'
import { refusal } from '../../problem/problem.ts'
import type { Secret } from '../../secrets/secret.ts'
import { type Database, openDatabase } from '../database.ts'
import type { Engine, Run, Settled, Workflow } from '../engine.ts'
import { describeFailure } from '../failure.ts'
import { type FaultPoints, NO_FAULTS } from '../faults.ts'
import { DEFAULT_RECOVERIES, type Definition, type Origin } from '../definition.ts'
import { keepDispatching } from './dispatch.ts'
import { pause } from './endings.ts'
import { type Lease, Membership } from './membership.ts'
import { DbosRun, type Registered } from './run.ts'
import { configure, endsTheRun, LANES, type LogEntry, prepare, recoverExecutors, VERSION } from './sdk.ts'
import { Tables } from './tables.ts'
import { deleteEnded, findStranded, type Stranded } from './upkeep.ts'
import { Worker } from './worker.ts'

export interface DbosEngineOptions {
  /** The database must have been migrated, see `migrate`. */
  readonly databaseUrl: Secret
  /** The worker's name: the same at every start of this process on this machine, and no other's (rule E2). */
  readonly executor: { readonly id: string }
  /** Default: beats every 0.5 s, is taken for dead after 3 s. */
  readonly lease?: Lease
  /**
   * Another worker has taken this one's work over, because this process was paused or cut off. Default: exits at once
   * with status 70, for nothing that it still does has any right to be done.
   */
  readonly onLost?: () => void
  readonly onLog?: (entry: LogEntry) => void
  readonly faults?: FaultPoints
}

export interface DbosEngine extends Engine {
  /** Workflows that nobody will go on with: an alarm when there are any (rule E8). */
  strandedWorkflows(): Promise<Stranded[]>
  /** See {@link deleteEnded}. */
  deleteFinished(olderThanMs: number): Promise<number>
}

const LEASE: Lease = { beatMs: 500, leaseMs: 3000 }
const GRACE_MS = 5000
const EXIT_LOST = 70
/** `drov` and a 2. */
const LAUNCHING = '7237116331524620290'

/** The durable engine on PostgreSQL. The SDK beneath keeps global state: one engine in a process at a time. */
export function dbosEngine(options: DbosEngineOptions): DbosEngine {
  return new JournalEngine(options)
}

interface Launched {
  readonly database: Database
  readonly membership: Membership
  readonly worker: Worker
  readonly endDispatch: () => void
}

class JournalEngine implements DbosEngine {
  readonly #options: DbosEngineOptions
  readonly #definitions: Definition[] = []
  readonly #registered = new Map<string, Registered>()
  /** Leaves the calling workflow's context: what a step asks of the engine is the step's own affair. */
  readonly #outside = AsyncLocalStorage.snapshot()
  #launched: Launched | undefined

  constructor(options: DbosEngineOptions) {
    this.#options = options
  }

  define<I, O>(
    name: string,
    body: (run: Run, input: I) => Promise<O>,
    options: { maxRecoveryAttempts?: number } = {},
  ): Workflow<I, O> {
    if (this.#launched !== undefined) throw new Error(`workflow ${name} is defined after the launch`)
    const { maxRecoveryAttempts = DEFAULT_RECOVERIES } = options
    this.#definitions.push({ name, body, maxRecoveryAttempts })
    return { name }
  }

  async launch(): Promise<void> {
    const { databaseUrl: url, executor, faults = NO_FAULTS, onLog: log = () => undefined } = this.#options
    const database = openDatabase(url, { size: 10, settings: { synchronous_commit: 'off' } })
    try {
      const membership = await Membership.join({
        url,
        pool: database.pool,
        id: executor.id,
        version: VERSION,
        lease: this.#options.lease ?? LEASE,
        onLost: () => this.#onLost(),
        onTrouble: (message) => log({ level: 'warn', message }),
      })
      const worker = new Worker({ membership, tables: new Tables(database.pool, membership), faults, log })
      this.#launched = { database, membership, worker, endDispatch: keepDispatching() }
      for (const definition of this.#definitions) this.#register(definition, worker)
      configure({ url, executor: executor.id, onLog: log })
      await oneAtATime(database.pool, () => DBOS.launch())
      await prepare()
      membership.watch(recoverExecutors)
    } catch (error) {
      await this.shutdown()
      await database.close().catch(() => undefined)
      throw error
    }
  }

  async start<I>(workflow: Workflow<I, unknown>, id: string, input: I, options: { lane?: string } = {}): Promise<void> {
    const registered = this.#registered.get(workflow.name)
    if (registered === undefined) throw new Error(`workflow ${workflow.name} is not defined here, or not launched`)
    const { lane } = options
    const place = lane === undefined ? {} : { queueName: LANES, enqueueOptions: { queuePartitionKey: lane } }
    const origin: Origin = { key: workflow.name, ...options }
    await this.#outside(() => DBOS.startWorkflow(registered, { workflowID: id, ...place })(input, origin))
  }

  async cancel(id: string): Promise<void> {
    await this.#outside(() => DBOS.cancelWorkflow(id, { cancelChildren: true }))
  }

  async result(id: string): Promise<Settled<unknown> | undefined> {
    return (await this.#here().worker.tables.firstEnded<unknown>([id]))?.settled
  }

  async send(id: string, topic: string, message: unknown, key?: string): Promise<void> {
    try {
      await this.#outside(() => DBOS.send(id, { message }, topic, key))
    } catch (cause) {
      if (await this.#here().worker.tables.exists(id)) throw cause
      throw refusal('journal/no-such-workflow', `workflow ${id}`, 'is not known', 'Has it ended long ago?', { cause })
    }
  }

  async fence(): Promise<number> {
    return this.#here().membership.fence()
  }

  async strandedWorkflows(): Promise<Stranded[]> {
    return findStranded(this.#here().database.pool)
  }

  async deleteFinished(olderThanMs: number): Promise<number> {
    return this.#outside(() => deleteEnded(this.#here().database.pool, olderThanMs))
  }

  /** What is under way is interrupted and goes on after the next start, here or at another worker. */
  async shutdown(): Promise<void> {
    const launched = this.#launched
    this.#launched = undefined
    if (launched === undefined) return
    await launched.worker.close(GRACE_MS)
    launched.endDispatch()
    await DBOS.shutdown({ deregister: true })
    await launched.membership.leave()
    await launched.database.close()
  }

  #register(definition: Definition, worker: Worker): void {
    const execute: Registered = (input, origin) => this.#execute({ definition, worker, origin, input })
    this.#registered.set(
      definition.name,
      DBOS.registerWorkflow(execute, { name: definition.name, maxRecoveryAttempts: 1000 }),
    )
  }

  /** Failures are outcomes like any other: kept in our form, and no reason for the SDK to complain. */
  async #execute(of: {
    readonly definition: Definition
    readonly worker: Worker
    readonly origin: Origin
    readonly input: unknown
  }): Promise<Settled<unknown>> {
    const { definition, worker, origin } = of
    const id = DBOS.workflowID ?? ''
    return worker.unlessClosing(async () => {
      try {
        if (origin.lane !== undefined && origin.child !== true) await this.#untilQuiet(worker, origin.lane, id)
        const maxTries = definition.maxRecoveryAttempts + 1
        const run = new DbosRun({ id, origin, worker, maxTries, registered: this.#registered })
        return { status: 'done', value: await definition.body(run, of.input) }
      } catch (error) {
        if (endsTheRun(error)) throw error
        return { status: 'failed', error: describeFailure(error) }
      } finally {
        if (!worker.closing.aborted) await worker.tables.end(id)
        worker.endings.announceSoon(id)
      }
    })
  }

  /** A cancelled workflow leaves its lane at once, while its last steps may still be ending. */
  async #untilQuiet(worker: Worker, lane: string, id: string): Promise<void> {
    while (!(await worker.tables.laneIsQuiet(lane, id))) await pause(50, worker.closing)
  }

  #onLost(): void {
    // Ends what is under way, also where `onLost` does not end the process.
    void this.#launched?.worker.close(0)
    if (this.#options.onLost === undefined) process.exit(EXIT_LOST)
    this.#options.onLost()
  }

  #here(): Launched {
    if (this.#launched === undefined) throw new Error('the engine is not launched')
    return this.#launched
  }
}

/**
 * The SDK migrates its schema when it launches, and deadlocks when two processes do so at once. Nor may one wait for
 * the lock inside a statement: an index that is built concurrently waits for every statement that is under way.
 */
async function oneAtATime(pool: Pool, launch: () => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    while ((await client.query('SELECT WHERE pg_try_advisory_lock($1)', [LAUNCHING])).rowCount === 0) await delay(50)
    await launch()
  } finally {
    // Closing the session drops the lock, whatever has happened.
    client.release(true)
  }
}

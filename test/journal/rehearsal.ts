import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, openDatabase } from '../../src/journal/database.ts'
import type { Settled } from '../../src/journal/engine.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/journal/embedded-postgres.ts'
import { migrate } from '../../src/journal/migrate.ts'
import { PretendHosts } from './pretend-hosts.ts'
import type { Answer, Orders, Question } from './worker-process.ts'

/** Short, so that a test of a takeover is. */
export const LEASE = { beatMs: 200, leaseMs: 2000 }

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A worker in a process of its own. */
export class WorkerProcess {
  readonly id: string
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #asked = 0

  constructor(orders: Orders) {
    this.id = orders.id
    this.#child = fork(join(import.meta.dirname, 'worker-process.ts'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.ended = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve({ code, signal })))
    this.#child.on('message', (answer: Answer) => this.#receive(answer))
    void this.ended.then(() => this.#failAll())
    const readiness = Promise.withResolvers<unknown>()
    readiness.promise.catch(() => undefined)
    this.#waiting.set(0, readiness)
    this.#child.send(orders)
  }

  /** Rejects with the refusal's code when it may not join. */
  async ready(): Promise<this> {
    await this.#waiting.get(0)?.promise
    return this
  }

  async ask(question: Question): Promise<unknown> {
    const number = ++this.#asked
    const answer = Promise.withResolvers<unknown>()
    // A worker may die before anybody waits for its answer.
    answer.promise.catch(() => undefined)
    this.#waiting.set(number, answer)
    this.#child.send({ number, question }, (error) => error !== null && answer.reject(error))
    return answer.promise
  }

  async start(story: string, id: string, input: unknown, lane?: string): Promise<void> {
    await this.ask({ ask: 'start', story, id, input, ...(lane === undefined ? {} : { lane }) })
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  async kill(): Promise<Ending> {
    this.signal('SIGKILL')
    return this.ended
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number)
    if (answer.failure === undefined) waiting?.resolve(answer.value)
    else waiting?.reject(new Error(answer.failure))
  }

  #failAll(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(`worker ${this.id} has ended`))
  }
}

/** A database, pretended hosts that do not depend on it, and workers that can be killed. Everything ends with `end`. */
export class Rehearsal {
  readonly postgres: EmbeddedPostgres
  readonly folder: string
  readonly database: Database
  readonly hosts: PretendHosts
  readonly #outside: EmbeddedPostgres
  readonly #outsideDatabase: Database
  #workers: WorkerProcess[] = []

  private constructor(folder: string, postgres: EmbeddedPostgres, outside: EmbeddedPostgres) {
    this.folder = folder
    this.postgres = postgres
    this.database = openDatabase(postgres.url)
    this.#outside = outside
    this.#outsideDatabase = openDatabase(outside.url)
    this.hosts = new PretendHosts(this.#outsideDatabase.pool)
  }

  static async open(): Promise<Rehearsal> {
    const folder = await mkdtemp(join(tmpdir(), 'drover-rehearsal-'))
    await chmod(folder, 0o711)
    const [postgres, outside] = await Promise.all(
      ['journal', 'hosts'].map((name) => startEmbeddedPostgres({ folder: join(folder, name) })),
    )
    assert.ok(postgres !== undefined && outside !== undefined)
    await migrate(postgres.url)
    const rehearsal = new Rehearsal(folder, postgres, outside)
    await rehearsal.hosts.build()
    // Processes die here, the machine does not: what they have written is safe without reaching the disk.
    await rehearsal.database.pool.query('ALTER SYSTEM SET fsync = off')
    await rehearsal.database.pool.query('SELECT pg_reload_conf()')
    return rehearsal
  }

  /** Returns at once; see `ready`. */
  spawn(id: string, orders: Partial<Pick<Orders, 'lease' | 'code' | 'dieAt'>> = {}): WorkerProcess {
    const worker = new WorkerProcess({
      url: this.postgres.url.open(),
      hostsUrl: this.#outside.url.open(),
      id,
      lease: LEASE,
      code: 'old',
      ...orders,
    })
    this.#workers.push(worker)
    return worker
  }

  async result(id: string): Promise<Settled<unknown> | undefined> {
    const { rows } = await this.database.pool.query<{ status: string; output: string | null }>(
      `SELECT status, o.output FROM dbos.workflow_status s LEFT JOIN dbos.workflow_output o USING (workflow_uuid)
       WHERE s.workflow_uuid = $1 AND status NOT IN ('PENDING', 'ENQUEUED')`,
      [id],
    )
    if (rows[0] === undefined) return undefined
    if (rows[0].status === 'CANCELLED') return { status: 'cancelled' }
    assert.equal(rows[0].status, 'SUCCESS')
    return JSON.parse(rows[0].output ?? '').v
  }

  /** The end of a workflow, whoever brings it there. Gives up after `withinMs`, a guard against hanging only. */
  async settled(id: string, withinMs = 40_000): Promise<Settled<unknown>> {
    let end: Settled<unknown> | undefined
    await until(async () => (end = await this.result(id)) !== undefined, `${id} to end`, withinMs)
    return end ?? assert.fail('unreachable')
  }

  /** Kills all workers and forgets them and what the hosts saw. What is in the journal stays. */
  async reset(): Promise<void> {
    await this.#killAll()
    await this.database.pool.query('TRUNCATE drover.workers, drover.attempts')
    await this.hosts.forget()
  }

  async end(): Promise<void> {
    await this.#killAll()
    await this.database.close()
    await this.#outsideDatabase.close()
    await Promise.all([this.postgres.stop(), this.#outside.stop()])
    await rm(this.folder, { recursive: true, force: true })
  }

  async #killAll(): Promise<void> {
    const workers = this.#workers
    this.#workers = []
    await Promise.all(workers.map((worker) => worker.kill()))
  }
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 40_000,
): Promise<void> {
  for (const end = performance.now() + withinMs; !(await condition()); await delay(10)) {
    assert.ok(performance.now() < end, `waited ${withinMs} ms for ${what}`)
  }
}

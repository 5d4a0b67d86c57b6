import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client, Pool, PoolClient } from 'pg'
import type { Secret } from '../../secrets/secret.ts'
import { connect, patiently } from '../database.ts'
import { claimName, lockName } from './worker-name.ts'

export interface Lease {
  /** How often a worker says that it lives. */
  readonly beatMs: number
  /** A worker that has not said so for this long is taken for dead. */
  readonly leaseMs: number
}

export interface MembershipOptions {
  readonly url: Secret
  readonly pool: Pool
  readonly id: string
  readonly version: string
  readonly lease: Lease
  /** Another worker has taken this one's work over: this process must do nothing more. Called once. */
  readonly onLost: () => void
  /** Something failed that will be tried again. */
  readonly onTrouble: (message: string) => void
}

/** Hands the workflows of gone workers to whoever is alive. May be called again for the same workers. */
export type Recover = (workers: readonly string[]) => Promise<void>

/**
 * This process's place among the workers (rules E2 and E3): it beats, and finds those that no longer do.
 *
 * A takeover is two transactions. The first declares the worker gone and raises the fence, so that from then on the
 * old owner can begin nothing and hosts refuse what it had under way. The second hands its workflows over and deletes
 * its row; whoever dies before its end leaves the row to the next. Between these and its next beat a worker that lives
 * may still take something from a queue: work of a worker without a row is taken over like that of one that is gone.
 * Time is measured by each process for itself; the database's clock may be set.
 */
export class Membership {
  readonly id: string
  readonly token = randomUUID()
  readonly #options: MembershipOptions
  readonly #ending = new AbortController()
  #session: Client | undefined
  #beating: Promise<void> | undefined
  #sweeping = false
  #lastBeat = performance.now()
  /** Since when no beat has been missed. */
  #steadySince = performance.now()
  #lost = false
  /** The last beat of each other worker, and since when this process has known it. */
  readonly #seen = new Map<string, { readonly beat: string; readonly since: number }>()

  private constructor(options: MembershipOptions) {
    this.id = options.id
    this.#options = options
  }

  /** Throws a Refusal when a living process has this name (rule E2). */
  static async join(options: MembershipOptions): Promise<Membership> {
    const membership = new Membership(options)
    membership.#session = await claimName(options)
    await inTransaction(options.pool, async (client) => {
      await client.query(
        `INSERT INTO drover.workers (id, token, version, lease) VALUES ($1, $2, $3, $4 * interval '1 millisecond')
         ON CONFLICT (id) DO UPDATE SET token = excluded.token, version = excluded.version, lease = excluded.lease,
           joined = clock_timestamp(), beat = clock_timestamp(), gone = false`,
        [membership.id, membership.token, options.version, options.lease.leaseMs],
      )
      await client.query('SELECT drover.raise_fence()')
    })
    return membership
  }

  /** Begins to beat, and to look for workers that are gone. */
  watch(recover: Recover): void {
    this.#beating = this.#beatOn(recover)
  }

  /** The number that hosts are to be given; see `Engine.fence`. */
  async fence(): Promise<number> {
    const { rows } = await patiently(() =>
      this.#options.pool.query<{ number: number }>(
        `SELECT number FROM drover.fence
         WHERE EXISTS (SELECT FROM drover.workers WHERE id = $1 AND token = $2 AND NOT gone)`,
        [this.id, this.token],
      ),
    )
    if (rows[0] === undefined) throw this.lose()
    return rows[0].number
  }

  /** Says that the worker's row is gone. Returns the error for whoever found out. */
  lose(): Error {
    if (!this.#lost) {
      this.#lost = true
      this.#ending.abort()
      this.#options.onLost()
    }
    return new Error(`worker ${this.id} was declared gone and its work taken over`)
  }

  /** Orderly end: what was under way here may be taken over at once, and its interruption counts against no step. */
  async leave(): Promise<void> {
    this.#ending.abort()
    await this.#beating
    try {
      await inTransaction(this.#options.pool, async (client) => {
        await client.query('UPDATE drover.workers SET gone = true WHERE id = $1 AND token = $2', [this.id, this.token])
        await client.query('DELETE FROM drover.attempts WHERE token = $1', [this.token])
        await client.query('SELECT drover.raise_fence()')
      })
    } catch (error) {
      // Without a database nobody can be told; the lease will run out.
      this.#options.onTrouble(`could not sign off: ${String(error)}`)
    }
    await this.#session?.end().catch(() => undefined)
  }

  async #beatOn(recover: Recover): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const alive = await this.#beat().catch((error: unknown) => this.#dropSession(error))
      if (alive === false) this.lose()
      if (alive === true) void this.#sweep(recover)
      await delay(this.#options.lease.beatMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    }
  }

  /** False: the row is gone. */
  async #beat(): Promise<boolean> {
    this.#session ??= await this.#reopenSession()
    const { rowCount } = await this.#session.query(
      'UPDATE drover.workers SET beat = clock_timestamp() WHERE id = $1 AND token = $2 AND NOT gone',
      [this.id, this.token],
    )
    const now = performance.now()
    if (now - this.#lastBeat > this.#options.lease.leaseMs / 2) this.#steadySince = now
    this.#lastBeat = now
    return rowCount === 1
  }

  async #reopenSession(): Promise<Client> {
    const client = await connect(this.#options.url, this.#options.lease.leaseMs)
    // The server may not have noticed yet that the old session is dead. The row's token stays the authority.
    await lockName(client, this.id)
    return client
  }

  async #dropSession(reason: unknown): Promise<undefined> {
    if (this.#ending.signal.aborted) return
    this.#options.onTrouble(`could not beat: ${String(reason)}`)
    await this.#session?.end().catch(() => undefined)
    this.#session = undefined
  }

  /**
   * After an outage of the database every worker looks late. Whoever comes back first must not take the others for
   * dead, so it declares nobody gone before it has beaten without a gap for a whole lease itself.
   */
  #isSteady(): boolean {
    return performance.now() - this.#steadySince >= this.#options.lease.leaseMs
  }

  async #sweep(recover: Recover): Promise<void> {
    if (this.#sweeping) return
    this.#sweeping = true
    try {
      if (await this.#declareGone()) await this.#recoverGone(recover)
    } catch (error) {
      this.#options.onTrouble(`could not take over the work of others: ${String(error)}`)
    } finally {
      this.#sweeping = false
    }
  }

  /** True when there is work to take over. */
  async #declareGone(): Promise<boolean> {
    const { rows } = await this.#options.pool.query<OtherWorker>(
      `SELECT id, gone, beat::text, extract(epoch FROM lease) * 1000 AS "leaseMs" FROM drover.workers WHERE id <> $1
       UNION ALL SELECT executor_id, true, '', 0 FROM (${unowned('$2')}) AS unowned`,
      [this.id, this.#options.version],
    )
    for (const id of this.#seen.keys()) if (!rows.some((row) => row.id === id)) this.#seen.delete(id)
    const late = rows.filter((row) => !row.gone && this.#isLate(row))
    if (this.#isSteady() && late.length > 0) {
      await inTransaction(this.#options.pool, async (client) => {
        const { rowCount } = await client.query(
          `UPDATE drover.workers SET gone = true
           WHERE NOT gone AND (id, beat::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
          [late.map(({ id }) => id), late.map(({ beat }) => beat)],
        )
        if (rowCount !== 0) await client.query('SELECT drover.raise_fence()')
      })
    }
    return late.length > 0 || rows.some(({ gone }) => gone)
  }

  /**
   * Whether this process has seen the same beat for longer than the other's lease, by its own clock, which nobody sets: where
   * the database's is set, every beat is of the future, or of long ago.
   */
  #isLate({ id, beat, leaseMs }: OtherWorker): boolean {
    const now = performance.now()
    const seen = this.#seen.get(id)
    if (seen?.beat === beat) return now - seen.since > Number(leaseMs)
    this.#seen.set(id, { beat, since: now })
    return false
  }

  /** The rows stay locked meanwhile, so that a gone worker that starts anew waits, and then recovers its own. */
  async #recoverGone(recover: Recover): Promise<void> {
    await inTransaction(this.#options.pool, async (client) => {
      await client.query(
        `INSERT INTO drover.workers (id, token, version, lease, gone)
         SELECT executor_id, gen_random_uuid(), $1, '0', true FROM (${unowned('$1')}) AS unowned
         ON CONFLICT (id) DO NOTHING`,
        [this.#options.version],
      )
      const { rows } = await client.query<{ id: string }>(
        'SELECT id FROM drover.workers WHERE gone AND id <> $1 FOR UPDATE SKIP LOCKED',
        [this.id],
      )
      if (rows.length === 0) return
      const ids = rows.map(({ id }) => id)
      await recover(ids)
      await client.query('DELETE FROM drover.workers WHERE id = ANY($1)', [ids])
    })
  }
}

interface OtherWorker {
  readonly id: string
  readonly gone: boolean
  readonly beat: string
  readonly leaseMs: string
}

/** Asks who has work of this version under way, and no row. */
function unowned(version: string): string {
  return `SELECT DISTINCT executor_id FROM dbos.workflow_status
    WHERE status = 'PENDING' AND application_version = ${version}
      AND executor_id NOT IN (SELECT id FROM drover.workers)`
}

/** On disk before it is believed, whatever the pool's own setting says. */
async function inTransaction(pool: Pool, work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SET LOCAL synchronous_commit = on')
    await work(client)
    await client.query('COMMIT')
    client.release()
  } catch (error) {
    // Closing the connection rolls back, also when it is the connection that failed.
    client.release(true)
    throw error
  }
}

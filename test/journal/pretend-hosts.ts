import type { Pool } from 'pg'

/** One command that reached a host. */
export interface Act {
  readonly host: string
  readonly workflow: string
  readonly step: string
  readonly worker: string
  readonly fence: number
}

export interface RecordedAct extends Act {
  readonly accepted: boolean
  /** Milliseconds since the epoch. */
  readonly at: number
}

/**
 * Hosts that keep the highest fence they have seen and refuse lower ones, under a lock, as real ones do; and the
 * history of what reached them, in the order in which it did.
 */
export class PretendHosts {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async build(): Promise<void> {
    await this.#pool.query(`
      CREATE TABLE fences (host text PRIMARY KEY, highest bigint NOT NULL);
      CREATE TABLE acts (n bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), host text NOT NULL,
        workflow text NOT NULL, step text NOT NULL, worker text NOT NULL, fence bigint NOT NULL, accepted boolean NOT NULL)`)
  }

  /** False: refused, a higher fence was seen. One statement: the host's row stays locked until the act is written. */
  async act(act: Act): Promise<boolean> {
    const { rows } = await this.#pool.query<{ accepted: boolean }>(
      `WITH host AS (
         INSERT INTO fences AS f VALUES ($1, $5)
         ON CONFLICT (host) DO UPDATE SET highest = greatest(f.highest, excluded.highest) RETURNING highest
       )
       INSERT INTO acts (host, workflow, step, worker, fence, accepted)
       SELECT $1, $2, $3, $4, $5, $5 >= highest FROM host RETURNING accepted`,
      [act.host, act.workflow, act.step, act.worker, act.fence],
    )
    return rows[0]?.accepted === true
  }

  async forget(): Promise<void> {
    await this.#pool.query('TRUNCATE acts, fences')
  }

  async history(): Promise<RecordedAct[]> {
    const { rows } = await this.#pool.query<RecordedAct>(
      `SELECT host, workflow, step, worker, fence, accepted, (extract(epoch FROM at) * 1000)::bigint AS at FROM acts ORDER BY n`,
    )
    return rows
  }
}

/** The places at which a host carried out a command with a lower fence than one before it. */
export function overtaken(history: readonly RecordedAct[]): RecordedAct[] {
  const highest = new Map<string, number>()
  return history.filter((act) => {
    const before = highest.get(act.host) ?? 0
    highest.set(act.host, Math.max(before, act.fence))
    return act.accepted && act.fence < before
  })
}

/** How often each step of each workflow was carried out. */
export function timesDone(history: readonly RecordedAct[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const { workflow, step } of history) {
    const key = `${workflow} ${step}`
    times.set(key, (times.get(key) ?? 0) + 1)
  }
  return times
}

import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { patiently } from '../database.ts'
import type { Settled, WorkflowError } from '../engine.ts'
import { decode } from '../json.ts'

/** A worker that may still act. */
const LIVE = 'EXISTS (SELECT FROM drover.workers w WHERE w.id = a.worker AND w.token = a.token AND NOT w.gone)'

export interface Ended<T> {
  readonly id: string
  readonly settled: Settled<T>
}

interface EndedRow {
  readonly id: string
  readonly status: string
  readonly output: string | null
  readonly error: string | null
}

/** Our own questions to the engine's tables, and the book of the steps that are under way. */
export class Tables {
  readonly #pool: Pool
  readonly #worker: { readonly id: string; readonly token: string }

  constructor(pool: Pool, worker: { readonly id: string; readonly token: string }) {
    this.#pool = pool
    this.#worker = worker
  }

  /**
   * Notes that this worker begins a step, and answers how often the step has been begun by now. Undefined when it may
   * not: the worker was declared gone, or the workflow is cancelled or another's. The lock on the workflow's row makes
   * a cancellation wait for this note, so that after it nobody overlooks a step that still runs.
   */
  async begin(of: {
    readonly workflow: string
    readonly step: string
    readonly lane: string | undefined
  }): Promise<number | undefined> {
    const { rows } = await this.#ask<{ tries: number }>({
      name: 'begin',
      text: `WITH worker AS (
           SELECT FROM drover.workers WHERE id = $1 AND token = $2 AND NOT gone
         ), workflow AS (
           SELECT FROM dbos.workflow_status
           WHERE workflow_uuid = $3 AND status = 'PENDING' AND executor_id = $1 FOR SHARE
         )
         INSERT INTO drover.attempts AS a (worker, token, workflow, step, lane, tries)
         SELECT $1, $2, $3, $4, $5, 1 FROM worker, workflow
         ON CONFLICT (workflow) DO UPDATE SET worker = excluded.worker, token = excluded.token, step = excluded.step,
           tries = CASE WHEN a.step = excluded.step THEN a.tries + 1 ELSE 1 END
         RETURNING tries`,
      values: [this.#worker.id, this.#worker.token, of.workflow, of.step, of.lane],
    })
    return rows[0]?.tries
  }

  /** Takes back that a step has been begun. */
  async postpone(workflow: string): Promise<void> {
    await this.#ask({
      text: 'UPDATE drover.attempts SET tries = tries - 1 WHERE workflow = $1 AND token = $2',
      values: [workflow, this.#worker.token],
    })
  }

  /** Notes that nothing of this workflow is under way here any more. */
  async end(workflow: string): Promise<void> {
    await this.#ask({
      name: 'end',
      text: 'DELETE FROM drover.attempts WHERE workflow = $1 AND token = $2',
      values: [workflow, this.#worker.token],
    })
  }

  /** Whether no step of an earlier, cancelled workflow of this lane still runs. */
  async laneIsQuiet(lane: string, workflow: string): Promise<boolean> {
    const { rowCount } = await this.#ask({
      text: `SELECT FROM drover.attempts a
         WHERE a.lane = $1 AND a.workflow <> $2 AND NOT starts_with(a.workflow, $2 || '/') AND ${LIVE}`,
      values: [lane, workflow],
    })
    return rowCount === 0
  }

  async exists(workflow: string): Promise<boolean> {
    const text = 'SELECT FROM dbos.workflow_status WHERE workflow_uuid = $1'
    return (await this.#ask({ text, values: [workflow] })).rowCount !== 0
  }

  /** The first of these workflows that has ended, steps and all; in their order when there are several. */
  async firstEnded<T>(ids: readonly string[]): Promise<Ended<T> | undefined> {
    const { rows } = await this.#ask<EndedRow>({
      name: 'first ended',
      text: `SELECT s.workflow_uuid AS id, s.status, o.output, o.error
         FROM dbos.workflow_status s LEFT JOIN dbos.workflow_output o USING (workflow_uuid)
         WHERE s.workflow_uuid = ANY($1) AND s.status NOT IN ('PENDING', 'ENQUEUED', 'DELAYED')
           AND (s.status <> 'CANCELLED' OR NOT EXISTS (
             SELECT FROM drover.attempts a
             WHERE (a.workflow = s.workflow_uuid OR starts_with(a.workflow, s.workflow_uuid || '/')) AND ${LIVE}))
         ORDER BY array_position($1, s.workflow_uuid) LIMIT 1`,
      values: [ids],
    })
    return rows[0] === undefined ? undefined : { id: rows[0].id, settled: settledOf<T>(rows[0]) }
  }

  /** One with a name is planned once per connection: planning takes longer than what these frequent ones do. */
  #ask<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>> {
    return patiently(() => this.#pool.query<Row>(query))
  }
}

function settledOf<T>(row: EndedRow): Settled<T> {
  // Our workflows return what they settled to; the SDK's own errors are what is left.
  if (row.status === 'SUCCESS') return withValue(decode(row.output ?? '{}'))
  if (row.status === 'CANCELLED') return { status: 'cancelled' }
  if (row.status === 'ERROR') return { status: 'failed', error: sdkFailure(row) }
  return { status: 'failed', error: { message: 'its worker died in it too often', poison: true } }
}

/** JSON drops a value that is undefined. */
function withValue<T>(settled: Settled<T>): Settled<T> {
  return settled.status === 'done' ? { status: 'done', value: settled.value } : settled
}

function sdkFailure(row: EndedRow): WorkflowError {
  const { message }: { readonly message?: string } = decode(row.error ?? '{"v":{}}')
  return { message: message ?? 'failed in the engine' }
}

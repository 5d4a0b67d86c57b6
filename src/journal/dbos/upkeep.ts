import { DBOS } from '@dbos-inc/dbos-sdk'
import type { Pool } from 'pg'

/** A workflow that nobody who is alive will ever go on with. */
export interface Stranded {
  readonly id: string
  readonly status: 'PENDING' | 'ENQUEUED' | 'DELAYED'
  readonly version: string | undefined
  readonly worker: string | undefined
  /** Milliseconds since the epoch. */
  readonly since: number
}

/**
 * Finds workflows of a version that no live worker has, and running ones whose worker is not even known (rule E8).
 * Between a worker's death and the takeover nothing is stranded.
 */
export async function findStranded(pool: Pool): Promise<Stranded[]> {
  const { rows } = await pool.query<Stranded>(
    `SELECT workflow_uuid AS id, status, application_version AS version, executor_id AS worker, updated_at AS since
     FROM dbos.workflow_status s
     WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED')
       AND (NOT EXISTS (SELECT FROM drover.workers w WHERE w.version = s.application_version)
            OR (status = 'PENDING' AND NOT EXISTS (SELECT FROM drover.workers w WHERE w.id = s.executor_id)))
     ORDER BY updated_at LIMIT 1000`,
  )
  return rows
}

/**
 * Deletes the records of workflows that ended longer ago than `olderThanMs`, children and messages with them, and
 * returns how many (rule E11). What people want to read later must be in tables of our own.
 */
export async function deleteEnded(pool: Pool, olderThanMs: number): Promise<number> {
  let deleted = 0
  for (;;) {
    const ids = await findEnded(pool, olderThanMs)
    if (ids.length === 0) break
    await DBOS.deleteWorkflows(ids, true)
    deleted += ids.length
  }
  await pool.query(
    `DELETE FROM drover.attempts a
     WHERE NOT EXISTS (SELECT FROM drover.workers w WHERE w.token = a.token)
       AND NOT EXISTS (SELECT FROM dbos.workflow_status s WHERE s.workflow_uuid = a.workflow AND s.status IN ('PENDING', 'ENQUEUED'))`,
  )
  return deleted
}

async function findEnded(pool: Pool, olderThanMs: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT workflow_uuid AS id FROM dbos.workflow_status
     WHERE parent_workflow_id IS NULL AND status NOT IN ('PENDING', 'ENQUEUED', 'DELAYED')
       AND coalesce(completed_at, updated_at) < extract(epoch FROM clock_timestamp()) * 1000 - $1
     ORDER BY updated_at LIMIT 100`,
    [olderThanMs],
  )
  return rows.map(({ id }) => id)
}

import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import { refusal, type Refusal } from '../../problem/problem.ts'
import type { Secret } from '../../secrets/secret.ts'
import { connect } from '../database.ts'
import type { Lease } from './membership.ts'

const KEY = `hashtextextended('drover worker ' || $1, 0)`

/**
 * Takes a worker's name for this process (rule E2) and returns the session that holds it, as an advisory lock.
 *
 * The lock of a killed process falls at once, that of a paused or unreachable one does not. So while the lock is held
 * its owner's beat decides: one that goes on is a living process, and the name is refused; one that has stood still
 * for its lease is a dead one's, and its session is ended.
 */
export async function claimName(of: {
  readonly url: Secret
  readonly id: string
  readonly lease: Lease
}): Promise<Client> {
  const client = await connect(of.url, of.lease.leaseMs)
  try {
    const end = performance.now() + 2 * of.lease.leaseMs
    for (let first: string | undefined; !(await lockName(client, of.id)); await delay(50)) {
      const owner = await readOwner(client, of.id)
      if (owner?.late === true) await endOwner(client, of.id)
      else if (performance.now() > end || (first !== undefined && owner !== undefined && owner.beat !== first)) {
        throw taken(of.id)
      }
      first ??= owner?.beat
    }
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

/** False when another session has it. */
export async function lockName(client: Client, id: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${KEY}) AS locked`, [id])
  return rows[0]?.locked === true
}

async function readOwner(client: Client, id: string): Promise<{ beat: string; late: boolean } | undefined> {
  const { rows } = await client.query<{ beat: string; late: boolean }>(
    'SELECT beat::text, gone OR beat < clock_timestamp() - lease AS late FROM drover.workers WHERE id = $1',
    [id],
  )
  return rows[0]
}

/** PostgreSQL shows a 64-bit advisory lock as two halves. */
async function endOwner(client: Client, id: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks, (SELECT ${KEY} AS key) AS name
     WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::bigint = (key >> 32) & 4294967295 AND objid::bigint = key & 4294967295 AND objsubid = 1
       AND pid <> pg_backend_pid()`,
    [id],
  )
}

function taken(id: string): Refusal {
  return refusal(
    'journal/worker-name-taken',
    `worker ${id}`,
    'is running already: another process works under this name',
    'Stop that process, or start this one under a name of its own.',
  )
}

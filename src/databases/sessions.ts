import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import { withoutLiterals } from './without-literals.ts'

/**
 * Which sessions belong to the migration: those under its name, and, for tools that do not take the name (the Rust
 * engine of Prisma, JDBC), those of the same user that were opened since, do not bear a name that was in use
 * before, and hold or want a lock that stops the application. A session that was there before is never among them.
 */
export interface Suspects {
  readonly applicationName: string
  /** The server's clock when the command was started, as the server writes it. */
  readonly since: string
  /** Names of the sessions that were there before. */
  readonly namesBefore: readonly string[]
}

/** Table locks that stop writing or reading; ordinary queries take none of them. */
const STOPPING_LOCKS = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']

/** A session that is told to end rolls back first. */
const ENDING_TRIES = 100
const ENDING_POLL_MS = 50

const LOCKS = `with locks as (
  select pid, granted, locktype <> 'advisory' as of_data, locktype = 'relation' and mode = any ($4) as stopping from pg_locks
)`

const IS_SUSPECT = `a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid() and (
  a.application_name = $1 or (
    a.backend_start > $2::timestamptz and a.usename = current_user
    and (a.application_name = '' or a.application_name <> all ($3))
    and exists (select from locks s where s.pid = a.pid and s.stopping)
  )
)`

/** Taken before the command starts. */
export async function suspectsFromNowOn(connection: Connection, applicationName: string): Promise<Suspects> {
  const [now] = await connection.rows<{ since: string; names: string[] }>(
    `select clock_timestamp()::text as since, array(
       select distinct application_name from pg_stat_activity
        where datname = current_database() and application_name <> '') as names`,
  )
  return { applicationName, since: now?.since ?? 'infinity', namesBefore: now?.names ?? [] }
}

/** A session of the migration that waits for a lock, now. */
export interface WaitingSession {
  readonly pid: number
  readonly backend_start: string
  /** Start of its transaction: locks that it has are held from there on. */
  readonly transaction: string
}

export function waitingSessions(connection: Connection, suspects: Suspects): Promise<WaitingSession[]> {
  return connection.rows<WaitingSession & { readonly [column: string]: unknown }>(
    `${LOCKS} select a.pid, a.backend_start::text, coalesce(a.xact_start, a.backend_start)::text as transaction
       from pg_stat_activity a
      where ${IS_SUSPECT} and exists (select from locks w where w.pid = a.pid and not w.granted and w.of_data)`,
    parameters(suspects),
  )
}

/** Ends the statement of a session, if it is still that session. */
export async function cancel(connection: Connection, { pid, backend_start }: WaitingSession): Promise<void> {
  await connection.rows(
    'select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2::timestamptz',
    [pid, backend_start],
  )
}

/**
 * Ends the sessions of a migration whose command is dead, and returns once they are gone: the server would carry a
 * statement to its end, and commit it, with nobody at the other side.
 */
export async function endSessions(connection: Connection, suspects: Suspects): Promise<void> {
  for (let tries = 0; tries < ENDING_TRIES; tries++) {
    const query = `${LOCKS} select pg_terminate_backend(a.pid) from pg_stat_activity a where ${IS_SUSPECT}`
    const ended = await connection.rows(query, parameters(suspects))
    if (ended.length === 0) return
    await sleep(ENDING_POLL_MS)
  }
}

function parameters({ applicationName, since, namesBefore }: Suspects): unknown[] {
  return [applicationName, since, namesBefore, STOPPING_LOCKS]
}

/** Whoever has or is before us in the queue for the lock that is waited for. */
export interface Blocker {
  readonly pid: number
  readonly user: string | undefined
  /** How long its transaction has been open. */
  readonly ageMs: number | undefined
  /** The beginning of its query, without any value in it. */
  readonly query: string
}

export async function blockersOf(connection: Connection, pid: number): Promise<Blocker[]> {
  const rows = await connection.rows<{
    pid: number
    user: string | null
    age: number | null
    state: string | null
    query: string | null
  }>(
    `select b.pid, a.usename as user, a.state, a.query,
            (extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.query_start)) * 1000)::float8 as age
       from unnest(pg_blocking_pids($1)) as b (pid) left join pg_stat_activity a on a.pid = b.pid
      order by a.xact_start nulls last`,
    [pid],
  )
  return rows.map((row) => ({
    pid: row.pid,
    user: row.user ?? undefined,
    ageMs: row.age ?? undefined,
    query: `${row.state === 'idle in transaction' ? '(idle in transaction, after) ' : ''}${withoutLiterals(row.query ?? '').slice(0, 80)}`,
  }))
}

/** `pid 412, user shop, for 12.3 s: select * from orders where id = ?` */
export function describeBlocker({ pid, user, ageMs, query }: Blocker): string {
  // PostgreSQL gives 0 for a lock that no session holds.
  if (pid === 0) return 'a prepared transaction (see pg_prepared_xacts)'
  const who = [
    `pid ${pid}`,
    ...(user === undefined ? [] : [`user ${user}`]),
    ...(ageMs === undefined ? [] : [`for ${(ageMs / 1000).toFixed(1)} s`]),
  ]
  return `${who.join(', ')}: ${query}`
}

import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../problem/problem.ts'
import type { Connection } from './connection.ts'

/** "DROV": the first half of every advisory lock of Drover. Advisory locks count per database, so one number does. */
const NAMESPACE = 0x44524f56
const MIGRATION = 1
const POLL_MS = 200

export interface Patience {
  /** Longest wait. */
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Called once, when the wait begins. */
  readonly onWait: (line: string) => void
}

/**
 * Takes the right to migrate this database, which lasts as long as the connection. A Refusal says who holds it.
 * Asked for again and again rather than waited for in the server, so that an abort leaves nobody in the queue.
 */
export async function takeMigrationLock(connection: Connection, patience: Patience): Promise<void> {
  await until(patience, async () => {
    const [answer] = await connection.rows<{ taken: boolean }>('select pg_try_advisory_lock($1, $2) as taken', [
      NAMESPACE,
      MIGRATION,
    ])
    if (answer?.taken === true) return undefined
    const holder = await holderOf(connection)
    return {
      line: `waits for another migration of this database: ${holder}`,
      refusal: () =>
        refusal(
          'databases/migration-locked',
          connection.place,
          `another migration of this database holds its lock: ${holder}`,
          'Wait for it to end; if its process is gone, its lock is gone too as soon as the server notices.',
        ),
    }
  })
}

interface Holder {
  readonly pid: number
  readonly application_name: string | null
  readonly client: string | null
  /** When the session last did anything, which is when its command was started. */
  readonly since: Date | null
}

async function holderOf(connection: Connection): Promise<string> {
  const holders = await connection.rows<Holder>(
    `select l.pid, a.application_name, host(a.client_addr) as client, a.state_change as since
       from pg_locks l left join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.classid = $1 and l.objid = $2
        and l.database = (select oid from pg_database where datname = current_database())`,
    [NAMESPACE, MIGRATION],
  )
  return holders.map(describe).join('; ') || 'one that has just let go'
}

/** Sessions of migration commands are called this, followed by their release. */
export const COMMAND_SESSION = 'drover-migrate/'

/**
 * Waits until no command of an earlier migration is at work. Whoever holds the lock is alone, so a session under our
 * name belongs to a command whose Drover died: the lock went with the connection, the command did not.
 */
export async function waitForOrphans(
  connection: Connection,
  runningOnHost: () => Promise<readonly number[]>,
  patience: Patience,
): Promise<void> {
  await until(patience, async () => {
    const sessions = await connection.rows<Holder>(
      `select pid, application_name, host(client_addr) as client, backend_start as since
         from pg_stat_activity where datname = current_database() and application_name like $1`,
      [`${COMMAND_SESSION}%`],
    )
    const processes = await runningOnHost()
    if (sessions.length === 0 && processes.length === 0) return undefined
    const who = [
      ...sessions.map((session) => `session ${describe(session)}`),
      ...(processes.length === 0 ? [] : [`process ${processes.join(', ')} on the host`]),
    ].join('; ')
    return {
      line: `waits for the command of an earlier migration, which outlived its Drover: ${who}`,
      refusal: () =>
        refusal(
          'databases/migration-still-running',
          connection.place,
          `the command of an earlier migration still runs, though its Drover is gone: ${who}`,
          'Wait for it to end, or end it (kill for a process, select pg_terminate_backend(pid) for a session), then deploy again.',
        ),
    }
  })
}

/** Asks until there is no obstacle; the last one asked is the Refusal. */
async function until(
  { limitMs, signal, onWait }: Patience,
  obstacle: () => Promise<{ readonly line: string; readonly refusal: () => Error } | undefined>,
): Promise<void> {
  const deadline = performance.now() + limitMs
  for (let asked = 0; ; asked++) {
    signal.throwIfAborted()
    const found = await obstacle()
    if (found === undefined) return
    if (performance.now() >= deadline) throw found.refusal()
    if (asked === 0) onWait(found.line)
    await sleep(POLL_MS, undefined, { signal })
  }
}

function describe({ pid, application_name: name, client, since }: Holder): string {
  const parts = [
    `pid ${pid}`,
    ...(name === null || name === '' ? [] : [name]),
    ...(client === null ? [] : [`from ${client}`]),
    ...(since === null ? [] : [`since ${since.toISOString()}`]),
  ]
  return parts.join(', ')
}

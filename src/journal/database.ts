import { setTimeout as delay } from 'node:timers/promises'
import { Client, type ClientConfig, Pool, types } from 'pg'
import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'
import { type Secret, scrubUrlCredentials } from '../secrets/secret.ts'

/** PostgreSQL's own number for the type bigint. */
const INT8 = 20

/** A pool of connections. */
export interface Database {
  readonly pool: Pool
  /**
   * Calls `onMessage` with the payload of every NOTIFY on the channel until the signal aborts; resolves then. Called
   * without a payload after each (re)connection: messages may have been missed, so read what there is.
   */
  listen(channel: string, onMessage: (payload: string | undefined) => void, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** The most connections that are kept; default 10. */
  readonly size?: number
  /** PostgreSQL settings of these connections. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Opens no connection yet. */
export function openDatabase(url: Secret, options: DatabaseOptions = {}): Database {
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => `-c ${name}=${value}`)
  const pool = new Pool({ ...connection(url), max: options.size ?? 10, options: settings.join(' ') })
  // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => undefined)
  return {
    pool,
    listen: (channel, onMessage, signal) => listen({ url, channel, onMessage, signal }),
    close: () => pool.end(),
  }
}

/**
 * One connection of its own, for what a pool cannot keep: session locks, LISTEN, migrations. With `timeoutMs` a query
 * that the database does not answer in that time is an error.
 */
export async function connect(url: Secret, timeoutMs?: number): Promise<Client> {
  const client = new Client({ ...connection(url), ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }) })
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    const reason = scrubUrlCredentials(
      cause instanceof Error ? cause.message || String(errorCode(cause)) : String(cause),
    )
    throw refusal(
      'journal/no-database',
      'database',
      `does not answer: ${reason}`,
      'Is PostgreSQL running, and is DATABASE_URL right?',
      { cause },
    )
  }
  return client
}

/** True when the database could not be reached or broke off, so that the same query may well succeed later. */
export function isConnectionTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isConnectionTrouble)
  if (isConnectionTrouble(error.cause)) return true
  const code = errorCode(error) ?? ''
  // 08: connection exception, 57P: shutdown, crash or not yet up, 53300: too many connections.
  if (/^(08...|57P0[1-5]|53300)$/.test(code)) return true
  if (/^E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN)$/.test(code)) return true
  return /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
    error.message,
  )
}

/** Repeats a query for as long as the database cannot be reached, or until the signal aborts. */
export async function patiently<T>(query: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
    try {
      return await query()
    } catch (error) {
      if (!isConnectionTrouble(error)) throw error
      await delay(wait, undefined, signal === undefined ? {} : { signal })
    }
  }
}

async function listen(of: {
  readonly url: Secret
  readonly channel: string
  readonly onMessage: (payload: string | undefined) => void
  readonly signal: AbortSignal
}): Promise<void> {
  while (!of.signal.aborted) {
    try {
      await patiently(() => listenOnce(of), of.signal)
    } catch (error) {
      if (!of.signal.aborted) throw error
    }
  }
}

/** Resolves when the connection is lost or the signal aborts. */
async function listenOnce(of: Parameters<typeof listen>[0]): Promise<void> {
  const client = await connect(of.url)
  try {
    const lost = new Promise<void>((resolve) => {
      client.once('error', () => resolve()).once('end', () => resolve())
      of.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    client.on('notification', ({ payload }) => of.onMessage(payload ?? ''))
    await client.query(`LISTEN ${client.escapeIdentifier(of.channel)}`)
    of.onMessage(undefined)
    await lost
  } finally {
    await client.end().catch(() => undefined)
  }
}

function connection(url: Secret): ClientConfig {
  return {
    connectionString: url.open(),
    application_name: 'drover',
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    types: { getTypeParser },
  }
}

/** Counts and numbers of ours stay far below 2^53: read bigint as a number, not as text. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  return oid === INT8 ? Number : types.getTypeParser(oid, format)
}

import { Client } from 'pg'
import type { QueryResultRow } from 'pg'
import { errorCode } from '../hosts/error-code.ts'
import type { Store } from '../manifest/fleet.ts'
import { Refusal, refusal } from '../problem/problem.ts'
import { scrub, Secret } from '../secrets/secret.ts'

/** A store of the fleet and where it is. */
export interface StoreAddress {
  readonly name: string
  readonly kind: Store['kind']
  /** `postgres://…`. Migrations need the server itself: a pooler that shares sessions would share their locks. */
  readonly url: Secret
}

/** One session on a PostgreSQL server. Reads and lock calls only; nothing waits longer than 10 s. */
export interface Connection {
  /** `store main (127.0.0.1:5432/shop)`. */
  readonly place: string
  rows<Row extends QueryResultRow>(query: string, values?: readonly unknown[]): Promise<Row[]>
  /** Aborts when the server is gone; locks of the session are gone with it. */
  readonly lost: AbortSignal
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 10_000

/** Opens a session under a name that others can read in pg_stat_activity; a Refusal says why it cannot be had. */
export async function connect(store: StoreAddress, applicationName: string): Promise<Connection> {
  const client = new Client({
    connectionString: connectionString(store),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
  })
  const place = `store ${store.name} (${client.host}:${client.port}/${client.database ?? ''})`
  const lost = new AbortController()
  client.on('error', () => lost.abort())
  client.on('end', () => lost.abort())
  try {
    await client.connect()
  } catch (error) {
    throw connectionRefusal(place, error, store.url)
  }
  return {
    place,
    lost: lost.signal,
    rows: (query, values = []) => client.query(query, [...values]).then((result) => result.rows),
    close: () => client.end().catch(() => {}),
  }
}

/** For the length of one use. */
export async function withConnection<T>(
  store: StoreAddress,
  applicationName: string,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(store, applicationName)
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}

/** The server keeps 63 bytes of a session's name and replaces what is not ASCII; what we look for must be what it keeps. */
export function sessionName(prefix: string, release: string): string {
  return `${prefix}${release}`.replaceAll(/[^ -~]/g, '?').slice(0, 63)
}

/** The address as `pg` needs it: our own name for the session, and `sslmode` meaning what it means to every other tool. */
function connectionString(store: StoreAddress): string {
  if (store.kind !== 'postgres') {
    throw refusal(
      'databases/not-postgres',
      `store ${store.name}`,
      `is of kind ${store.kind}, and only a PostgreSQL store can be migrated`,
      'Give the migration a store of kind postgres in drover.yaml.',
    )
  }
  const url = parseUrl(store.url)
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw refusal(
      'databases/bad-address',
      `store ${store.name}`,
      'has an address that is no postgres:// URL',
      'It should look like postgres://user:password@host:5432/database, with special characters percent-encoded.',
    )
  }
  url.searchParams.delete('application_name')
  if (url.searchParams.has('sslmode')) url.searchParams.set('uselibpqcompat', 'true')
  return url.href
}

/** The error of `URL` carries the address, password included, so it must not go anywhere. */
export function parseUrl(url: Secret): URL | undefined {
  return URL.parse(url.open()) ?? undefined
}

/** The secret itself and, of an address, the password in it as the server knows it. */
export function withPassword(secret: Secret): Secret[] {
  const password = parseUrl(secret)?.password ?? ''
  return password === '' ? [secret] : [secret, new Secret(password), new Secret(decoded(password))]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What is wrong and what to do, by the error's code. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CONNECT_ERRORS: readonly (readonly [codes: RegExp, code: string, hint: string])[] = [
  [/^28P01$/, 'databases/wrong-password', 'Is the password in the secret the one of this user on this server?'],
  [/^28000$/, 'databases/not-allowed', 'Does the user exist, and does pg_hba.conf let it in from here?'],
  [/^3D000$/, 'databases/no-such-database', 'Create the database first, or correct its name in the address.'],
  [/^08P01$/, 'databases/pooled', 'Is this a pooler? Migrations need the address of the server itself.'],
  [/^53300$/, 'databases/too-many-connections', 'Free a connection or raise max_connections; Drover needs two.'],
  [/^57P0/, 'databases/unavailable', 'The server is starting or stopping; try again when it is up.'],
]

function connectionRefusal(place: string, error: unknown, url: Secret): Refusal {
  const first = error instanceof AggregateError ? error.errors[0] : error
  const code = errorCode(first) ?? ''
  const message = scrub(first instanceof Error ? first.message : String(first), withPassword(url))
  const known = CONNECT_ERRORS.find(([codes]) => codes.test(code))
  return known === undefined
    ? refusal(
        'databases/unreachable',
        place,
        `cannot be reached: ${message}`,
        'Is the server up, and are host and port right?',
      )
    : refusal(known[1], place, `lets nobody in: ${message}`, known[2])
}

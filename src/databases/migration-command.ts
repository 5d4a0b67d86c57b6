import { createHash } from 'node:crypto'
import type { Host } from '../hosts/host.ts'
import { Secret } from '../secrets/secret.ts'
import type { Connection } from './connection.ts'

const MARKER = 'DROVER_MIGRATION'

/** Names the database that a connection leads to, whatever address it was reached by. */
export async function migrationKey(connection: Connection): Promise<string> {
  const [database] = await connection.rows<{ name: string }>(
    `select concat_ws('/', pg_postmaster_start_time(), oid, datname) as name from pg_database where datname = current_database()`,
  )
  return createHash('sha256')
    .update(database?.name ?? '')
    .digest('hex')
    .slice(0, 16)
}

/** What the environment of a migration command is made of. */
export interface CommandSettings {
  readonly env: Readonly<Record<string, string | Secret>>
  readonly timeoutMs: number
  readonly lockTimeoutMs: number
}

/**
 * The environment of the command. PGOPTIONS and PGAPPNAME are read by libpq and by most drivers that are not built on
 * it; the marker finds the command again when its Drover has died.
 */
export function environmentOf(
  { env, timeoutMs, lockTimeoutMs }: CommandSettings,
  { key, applicationName }: { readonly key: string; readonly applicationName: string },
): Record<string, string | Secret> {
  const limits = `-c lock_timeout=${lockTimeoutMs} -c statement_timeout=${timeoutMs}`
  const own = env['PGOPTIONS'] ?? ''
  // The last setting of a name wins, so the limits of the manifest hold whatever the variable says.
  const options = typeof own === 'string' ? `${own} ${limits}`.trim() : new Secret(`${own.open()} ${limits}`)
  return { ...env, PGOPTIONS: options, PGAPPNAME: applicationName, [MARKER]: key }
}

/** Processes on the host that belong to a migration of this database, found by the marker that they inherited. */
export async function commandProcesses(host: Host, key: string): Promise<number[]> {
  const files = '/proc/[0-9]*/environ'
  const found = await host.run({
    program: 'sh',
    argv: ['-c', `grep -lszxF -e "$1" ${files}`, 'sh', `${MARKER}=${key}`],
  })
  // Files of other users cannot be read, so that the exit code says nothing.
  return [...found.stdout.matchAll(/^\/proc\/(\d+)\//gm)].map((match) => Number(match[1]))
}

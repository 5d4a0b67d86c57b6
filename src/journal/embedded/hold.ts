import type { Client } from 'pg'
import { errorCode } from '../../hosts/error-code.ts'

/** `drov`, so that the lock is nobody else's by chance. */
const LOCK = 0x64726f76

/** A Drover's share in the server: as long as anyone has one, nobody else's stop ends it. */
export interface Hold {
  /** Gives the share back. True when it was the last one and the server is ours to stop. */
  release(): Promise<boolean>
}

type Connect = (database: string) => Promise<Client>

/**
 * Takes a share in a running server: a shared advisory lock, which the database itself drops when its holder dies.
 * `not yet`: it does not answer, try again. Undefined: it answers, but it serves other data, refuses the password,
 * or is being stopped.
 */
export async function hold(connect: Connect, data: string): Promise<Hold | 'not yet' | undefined> {
  let client: Client | undefined
  try {
    await createDatabase(connect)
    client = await connect('drover')
    const { rows } = await client.query<{ ours: boolean; held: boolean }>(
      `SELECT current_setting('data_directory') = $1 AS ours, pg_try_advisory_lock_shared($2) AS held`,
      [data, LOCK],
    )
    if (rows[0]?.ours === true && rows[0].held) return holdOf(client, connect)
    await client.end()
    return undefined
  } catch (error) {
    await client?.end().catch(() => undefined)
    return isWrongPassword(error) ? undefined : 'not yet'
  }
}

function holdOf(client: Client, connect: Connect): Hold {
  return {
    async release() {
      await client.end().catch(() => undefined)
      const last = await connect('drover').catch(() => undefined)
      // A server that does not answer is of no use to anybody.
      if (last === undefined) return true
      // The connection is left open: the lock that it took keeps others out until the server is gone.
      const { rows } = await last.query<{ alone: boolean }>('SELECT pg_try_advisory_lock($1) AS alone', [LOCK])
      if (rows[0]?.alone === true) return true
      await last.end()
      return false
    },
  }
}

async function createDatabase(connect: Connect): Promise<void> {
  const client = await connect('postgres')
  try {
    const { rowCount } = await client.query(`SELECT 1 FROM pg_database WHERE datname = 'drover'`)
    if (rowCount === 0) await client.query('CREATE DATABASE drover').catch(unlessMadeMeanwhile)
  } finally {
    await client.end()
  }
}

/** duplicate_database, or unique_violation when two of them ran side by side. */
function unlessMadeMeanwhile(error: unknown): void {
  const code = errorCode(error)
  if (code !== '42P04' && code !== '23505') throw error
}

/** invalid_password, invalid_authorization_specification. */
function isWrongPassword(error: unknown): boolean {
  const code = errorCode(error)
  return code === '28P01' || code === '28000'
}

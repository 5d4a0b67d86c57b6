import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'pg'
import { problem, Refusal, refusal } from '../problem/problem.ts'
import type { Secret } from '../secrets/secret.ts'
import { connect } from './database.ts'

/** The schema in which all of Drover's own tables lie; the engine's lie in `dbos`, beside it. */
export const SCHEMA = 'drover'

/** `drov` and a 1: one migration at a time, also across processes. */
const LOCK = '7237116331524620289'

export interface Migration {
  /** Such as `0001_journal.sql`. */
  readonly name: string
  readonly sql: string
}

/**
 * Brings the database to this program's schema and returns the names of the files that it applied, oldest first.
 * Each file is one transaction, in which unqualified names mean the schema `drover`. Refuses a database in which a
 * file was applied with another content, or that a newer program has migrated.
 */
export async function migrate(
  url: Secret,
  folder: string = join(import.meta.dirname, 'migrations'),
): Promise<string[]> {
  const migrations = await readMigrations(folder)
  const client = await connect(url)
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK])
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`)
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${SCHEMA}.migrations
         (name text PRIMARY KEY, sha256 text NOT NULL, applied timestamptz NOT NULL DEFAULT now())`,
    )
    const pending = pendingOf(migrations, await readApplied(client))
    for (const migration of pending) await apply(client, migration)
    return pending.map(({ name }) => name)
  } finally {
    // Ends the session, and the lock with it.
    await client.end()
  }
}

/** The files of a folder in their order. Names are `<four digits>_<words>.sql`, and no number occurs twice. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const wrong = names.filter(
    (name, index) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(name) || number(name) === number(names[index - 1]),
  )
  if (wrong.length > 0) throw new Error(`not a migration's name, or its number is taken: ${wrong.join(', ')}`)
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(folder, name), 'utf8') })))
}

/** Throws a Refusal with every disagreement between what the program has and what the database has had. */
function pendingOf(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): Migration[] {
  const known = new Set(migrations.map(({ name }) => name))
  const edited = migrations.filter(({ name, sql }) => applied.has(name) && applied.get(name) !== sha256(sql))
  const newer = [...applied.keys()].filter((name) => !known.has(name))
  const problems = [
    ...edited.map(({ name }) =>
      problem(
        'journal/migration-edited',
        name,
        'was changed after it had been applied',
        'Put the file back and write the change as a new file.',
      ),
    ),
    ...newer.map((name) =>
      problem(
        'journal/database-newer',
        name,
        'was applied to the database and is not known here',
        'Run the newer Drover that made this database, or restore a backup from before.',
      ),
    ),
  ]
  if (problems.length > 0) throw new Refusal(problems)
  return migrations.filter(({ name }) => !applied.has(name))
}

async function readApplied(client: Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; sha256: string }>(
    `SELECT name, sha256 FROM ${SCHEMA}.migrations ORDER BY name`,
  )
  return new Map(rows.map((row) => [row.name, row.sha256]))
}

/** The file and the note that it was applied are one transaction: a crash leaves both or neither. */
async function apply(client: Client, { name, sql }: Migration): Promise<void> {
  try {
    await client.query('BEGIN')
    await client.query(`SET LOCAL search_path = ${SCHEMA}, public`)
    await client.query(sql)
    await client.query(`INSERT INTO ${SCHEMA}.migrations (name, sha256) VALUES ($1, $2)`, [name, sha256(sql)])
    await client.query('COMMIT')
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined)
    const what = `could not be applied: ${cause instanceof Error ? cause.message : String(cause)}`
    throw refusal('journal/migration-failed', name, what, 'Nothing of this file was kept; the files before it were.', {
      cause,
    })
  }
}

function number(name: string | undefined): string | undefined {
  return name?.slice(0, 4)
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

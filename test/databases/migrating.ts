import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { runMigration } from '../../src/databases/migrate.ts'
import type { MigrationResult, MigrationRun } from '../../src/databases/migrate.ts'
import { localHost } from '../../src/hosts/local/local-host.ts'
import { Refusal } from '../../src/problem/problem.ts'
import type { TestDatabase } from './server.ts'

/** Runs a migration with everything that a test does not care about. */
export function migrate(
  database: TestDatabase,
  command: string,
  more: Partial<MigrationRun> = {},
): Promise<MigrationResult> {
  return runMigration({
    host: localHost(),
    store: { name: 'main', kind: 'postgres', url: database.url },
    release: 'shop/test/1',
    command,
    cwd: database.folder,
    env: { DATABASE_URL: database.url },
    timeoutMs: 20_000,
    lockTimeoutMs: 5_000,
    signal: AbortSignal.timeout(30_000),
    onLine: () => {},
    ...more,
  })
}

/** The refusal of what must be refused. */
export async function refused(result: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await result.then(
    (value) => assert.fail(`not refused: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Refusal, inspect(error))
  return error
}

export function codes(refusal: Refusal): string[] {
  return refusal.problems.map((problem) => problem.code)
}

/** Waits until a query finds something; fails the test after 20 s. */
export async function eventually(database: TestDatabase, query: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const [found] = await database.ask(query)
    if (found !== undefined && found !== null && found !== false) return
    await sleep(20)
  }
  assert.fail(`never happened: ${query}`)
}

/** Finds the sessions of the database that run a query like this. */
export function running(query: string): string {
  return `select pid from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and query like '${query}'`
}

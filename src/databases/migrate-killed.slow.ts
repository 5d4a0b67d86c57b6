import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { codes, migrate, refused } from '../../test/databases/migrating.ts'
import { startTestServer } from '../../test/databases/server.ts'
import type { TestDatabase, TestServer } from '../../test/databases/server.ts'

let server: TestServer

before(async () => {
  server = await startTestServer()
})

after(() => server.stop())

const DROVER = `
import { runMigration } from ${JSON.stringify(import.meta.resolve('./migrate.ts'))}
import { localHost } from ${JSON.stringify(import.meta.resolve('../hosts/local/local-host.ts'))}
import { Secret } from ${JSON.stringify(import.meta.resolve('../secrets/secret.ts'))}
const url = new Secret(process.env.URL)
await runMigration({
  host: localHost(), store: { name: 'main', kind: 'postgres', url }, release: 'shop/test/1',
  command: process.env.COMMAND, cwd: '.', env: { DATABASE_URL: url }, timeoutMs: 60000, lockTimeoutMs: 5000,
  signal: new AbortController().signal, onLine: console.log,
})`

/** Runs a migration in a Drover of its own and kills that with -9 once the command sleeps. */
async function kill(database: TestDatabase, command: string): Promise<void> {
  const drover = spawn(process.execPath, ['--input-type=module', '-e', DROVER], {
    cwd: database.folder,
    env: { PATH: process.env['PATH'], URL: database.url.open(), COMMAND: command },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(drover, 'exit')
  for await (const line of drover.stdout) {
    if (String(line).includes('pg_sleep')) break
  }
  drover.kill('SIGKILL')
  await exited
}

describe('a migration after one whose Drover was killed', () => {
  const ways: readonly (readonly [how: string, modes: readonly string[], said: RegExp])[] = [
    ['a session under its name', [], /outlived its Drover: session pid \d+, drover-migrate\/shop\/test\/1, from/],
    ['a process on the host, as its tool takes no name', ['deaf'], /outlived its Drover: process \d+.* on the host/],
  ]
  for (const [how, modes, said] of ways) {
    it(`waits for the command that goes on, found by ${how}`, async () => {
      const database = await server.database()
      const lines: string[] = []
      await (await database.session()).query('create table steps (n serial)')
      await kill(database, database.tool(...modes, 'select pg_sleep(2)', 'insert into steps values (1)'))

      await migrate(database, database.tool('insert into steps values (2)'), {
        release: 'shop/test/2',
        onLine: (line) => lines.push(line),
      })

      assert.match(lines[0] ?? '', said)
      assert.deepEqual(await database.ask('select n from steps order by ctid'), [1, 2])
    })
  }

  it('is refused when that command takes too long, and tells how to end it', async () => {
    const database = await server.database()
    await kill(database, database.tool('select pg_sleep(30)'))

    const refusal = await refused(migrate(database, 'true', { waitMs: 200 }))

    await database.ask(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'drover-migrate/%'`)
    assert.deepEqual(codes(refusal), ['databases/migration-still-running'])
    assert.match(refusal.message, /session pid \d+.*; process \d+.* on the host\n {2}HINT: .*pg_terminate_backend/)
  })

  it('finds what was left half applied, and the way out', async () => {
    const database = await server.database()
    const command = database.tool('record=0001_a', 'create table a (id int); select pg_sleep(30)')
    await kill(database, command)
    await database.ask(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'drover-migrate/%'`)

    const refusal = await refused(migrate(database, command))

    assert.deepEqual(codes(refusal), ['databases/migration-failed', 'databases/half-applied'])
    assert.deepEqual(await database.ask(`select to_regclass('a')`), [null])
  })
})

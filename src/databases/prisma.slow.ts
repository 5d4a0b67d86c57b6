import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { codes, eventually, migrate, refused, running } from '../../test/databases/migrating.ts'
import { startTestServer } from '../../test/databases/server.ts'
import type { TestDatabase, TestServer } from '../../test/databases/server.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { NETWORK_VARIABLES, passOn } from '../hosts/pass-on.ts'
import type { Secret } from '../secrets/secret.ts'
import type { MigrationResult } from './migrate.ts'

const PAKASHOP = fileURLToPath(new URL('../../examples/pakashop', import.meta.url))
const DEPLOY = 'npx prisma migrate deploy'
const OWN = ['20260601090000_shop', '20260601100000_jobs', '20260601110000_reference_data']

let server: TestServer
/** Copies of Pakashop's backend and of its engine, with what they depend on. */
let backend: string
let engine: string

before(async () => {
  server = await startTestServer()
  const { folder } = await server.database()
  backend = await installed(join(PAKASHOP, 'services/backend'), join(folder, 'backend'))
  engine = await installed(join(PAKASHOP, 'tools/prisma-engine'), join(folder, 'prisma-engine'))
})

after(() => server.stop())

async function installed(source: string, target: string): Promise<string> {
  await cp(source, target, { recursive: true, filter: (path) => !path.endsWith('/node_modules') })
  const there = join(source, 'node_modules')
  if (existsSync(there)) {
    await symlink(there, join(target, 'node_modules'))
    return target
  }
  const end = await localHost().run(
    { program: 'npm', argv: ['ci'], cwd: target, env: passOn(NETWORK_VARIABLES) },
    { timeoutMs: 300_000 },
  )
  assert.ok(end.ok, end.stderr)
  return target
}

/** A service of its own: its migrations can be changed without the other tests seeing it. */
async function service(name: string): Promise<string> {
  const folder = join(backend, '..', name)
  await cp(backend, folder, { recursive: true, filter: (path) => !path.endsWith('/node_modules') })
  await symlink(join(backend, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

async function addMigration(folder: string, name: string, sql: string): Promise<void> {
  await mkdir(join(folder, 'prisma/migrations', name), { recursive: true })
  await writeFile(join(folder, 'prisma/migrations', name, 'migration.sql'), sql)
}

function environment(database: TestDatabase): Record<string, string | Secret> {
  return { DATABASE_URL: database.url, PRISMA_SCHEMA_ENGINE_BINARY: join(engine, 'schema-engine.js') }
}

function deploy(
  database: TestDatabase,
  cwd: string,
  more: { readonly lockTimeoutMs?: number; readonly onLine?: (line: string) => void; readonly release?: string } = {},
): Promise<MigrationResult> {
  const limits = { timeoutMs: 60_000, signal: AbortSignal.timeout(120_000) }
  return migrate(database, DEPLOY, { cwd, env: environment(database), ...limits, ...more })
}

describe('the migrations of Prisma', () => {
  it('are applied once, by name, whoever else deploys at the same time', async () => {
    const database = await server.database()

    const both = await Promise.all([deploy(database, backend), deploy(database, backend, { release: 'shop/test/2' })])
    const again = await deploy(database, backend)

    assert.deepEqual(both.map((result) => result.outcome).sort(), ['applied', 'nothing-to-do'])
    assert.deepEqual(
      both.flatMap((result) => result.migrations ?? []),
      OWN,
    )
    assert.equal(again.outcome, 'nothing-to-do')
  })

  it('that fail half-way are shown with the way out, and that way leads out', async () => {
    const database = await server.database()
    const folder = await service('failing')
    await addMigration(folder, '20260701000000_bad', 'create table half (id int); commit; select 1/0;')

    const refusal = await refused(deploy(database, folder))
    const stuck = await refused(deploy(database, folder))
    const wayOut = /run: (.*) \(or --applied/.exec(refusal.problems[1]?.hint ?? '')?.[1] ?? ''
    const resolved = await localHost().run({
      program: 'sh',
      argv: ['-c', wayOut],
      cwd: folder,
      env: environment(database),
    })
    await addMigration(folder, '20260701000000_bad', 'create table whole (id int);')
    const result = await deploy(database, folder)

    assert.equal(wayOut, 'npx prisma migrate resolve --rolled-back 20260701000000_bad')
    assert.deepEqual(codes(refusal), ['databases/migration-failed', 'databases/half-applied'])
    assert.match(refusal.message, /migration 20260701000000_bad is half applied: .*division by zero/s)
    assert.deepEqual(codes(stuck), ['databases/migration-failed', 'databases/half-applied'])
    assert.ok(resolved.ok, resolved.stderr)
    assert.deepEqual(result.migrations, ['20260701000000_bad'])
  })

  it('give up behind a long query, which is named, and stand as they stood', async () => {
    const database = await server.database()
    await deploy(database, backend)
    const folder = await service('waiting')
    await addMigration(folder, '20260701000000_note', 'alter table products add column note text;')
    const report = await database.session('reports')
    await report.query('begin; select count(*) from products')

    const refusal = await refused(deploy(database, folder, { lockTimeoutMs: 1000 }))

    await report.query('commit')
    assert.deepEqual(codes(refusal), ['databases/lock-timeout', 'databases/half-applied'])
    assert.match(
      refusal.message,
      /in the way: pid \d+, user shop_\w+, for .*: \(idle in transaction, after\) begin; select count/,
    )
    assert.deepEqual(await database.ask(`select attname::text from pg_attribute where attname = 'note'`), [])
  })

  it('that were cut off in the middle leave nothing running and say what they left', async () => {
    const database = await server.database()
    const folder = await service('cut')
    await addMigration(folder, '20260701000000_slow', 'create table slow (id int); select pg_sleep(60);')
    const stop = new AbortController()
    const cut = refused(
      migrate(database, DEPLOY, { cwd: folder, env: environment(database), timeoutMs: 60_000, signal: stop.signal }),
    )
    await eventually(database, running('%pg_sleep(60)%'))

    stop.abort()

    assert.deepEqual(codes(await cut), ['databases/migration-cancelled', 'databases/half-applied'])
    assert.deepEqual(await database.ask(running('%pg_sleep(60)%')), [])
    assert.deepEqual(await database.ask(`select to_regclass('slow')`), [null])
    await rm(folder, { recursive: true })
  })
})

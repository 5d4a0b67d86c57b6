import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { codes, eventually, migrate, refused, running } from '../../test/databases/migrating.ts'
import { startTestServer } from '../../test/databases/server.ts'
import type { TestDatabase, TestServer } from '../../test/databases/server.ts'
import type { Refusal } from '../problem/problem.ts'
import { Secret } from '../secrets/secret.ts'

let server: TestServer

before(async () => {
  server = await startTestServer()
})

after(() => server.stop())

describe('a migration', { concurrency: 8 }, () => {
  it('says what it applied, and that a second run has nothing to do', async () => {
    const database = await server.database()
    const command = database.tool('record=0001_orders', 'create table orders (id int)')

    const first = await migrate(database, command)
    const second = await migrate(database, command)

    assert.equal(first.outcome, 'applied')
    assert.deepEqual(first.migrations, ['0001_orders'])
    assert.equal(second.outcome, 'nothing-to-do')
    assert.deepEqual(second.migrations, [])
  })

  it('claims nothing about a tool that keeps no table', async () => {
    const database = await server.database()

    const result = await migrate(database, 'true')

    assert.equal(result.outcome, 'applied')
    assert.equal(result.migrations, undefined)
  })

  it('leaves the artifact as it is, whatever its tool writes beside itself', async () => {
    const database = await server.database()
    const home = await mkdtemp(join(tmpdir(), 'drover-aside-'))
    const [folder, copy] = [join(home, 'artifact'), join(home, 'scratch/backend')]
    await mkdir(join(folder, 'services/backend'), { recursive: true })
    await writeFile(join(folder, 'services/backend/tool'), 'of the artifact')
    // What was left by one that was cut off.
    await mkdir(join(copy, 'services/backend/.cache'), { recursive: true })
    const lines: string[] = []

    const failed = await refused(
      migrate(database, 'pwd; cat tool; mkdir .cache && echo; ls -A; exit 7', {
        cwd: join(folder, 'services/backend'),
        aside: { folder, copy },
        onLine: (line) => lines.push(line),
      }),
    )
    const left = await readdir(home, { recursive: true })
    await rm(home, { recursive: true })

    assert.match(failed.message, /exited with 7/)
    assert.deepEqual(lines, [join(copy, 'services/backend'), 'of the artifact', '.cache', 'tool'])
    assert.deepEqual(left.toSorted(), [
      'artifact',
      'artifact/services',
      'artifact/services/backend',
      'artifact/services/backend/tool',
      'scratch',
    ])
  })

  it('runs in its folder, with its variables, limits and name', async () => {
    const database = await server.database()
    const env = {
      DATABASE_URL: database.url,
      PGOPTIONS: new Secret('-c work_mem=123kB -c lock_timeout=0'),
      COLOUR: 'blue',
    }
    const setting = `'lock_timeout', 'statement_timeout', 'work_mem', 'application_name'`
    const shown = `do $$ begin raise 'is %', array(select concat(name, '=', setting) from pg_settings where name in (${setting})); end $$`
    const lines: string[] = []

    await migrate(database, `pwd; echo $COLOUR; ${database.tool(shown)} || true`, {
      env,
      onLine: (line) => lines.push(line),
    })

    assert.deepEqual(lines.slice(0, 2), [database.folder, 'blue'])
    assert.match(
      lines.at(-1) ?? '',
      /^is \{application_name=drover-migrate\/shop\/test\/1,lock_timeout=5000,statement_timeout=20000,work_mem=123\}/,
    )
  })

  it('waits for another one of the same database, whose holder it names', async () => {
    const database = await server.database()
    const step = 'insert into steps default values'
    const slow = database.tool('create table steps (n serial)', step, 'select pg_sleep(0.6)', step)
    const lines: string[] = []
    const first = migrate(database, slow)
    await eventually(database, running('%pg_sleep%'))

    const second = await migrate(database, database.tool('insert into steps values (10)'), {
      release: 'shop/test/2',
      onLine: (line) => lines.push(line),
    })

    await first
    assert.deepEqual(await database.ask('select n from steps order by ctid'), [1, 2, 10])
    assert.ok(second.waitedMs > 0)
    assert.match(
      lines[0] ?? '',
      /^waits for another migration of this database: pid \d+, drover\/shop\/test\/1, from 127\.0\.0\.1, since \d{4}-/,
    )
  })

  it('is refused, and has run nothing, when the other one takes too long', async () => {
    const database = await server.database()
    const stop = new AbortController()
    const first = refused(migrate(database, database.tool('select pg_sleep(30)'), { signal: stop.signal }))
    await eventually(database, running('%pg_sleep%'))

    const refusal = await refused(migrate(database, 'touch second', { waitMs: 300, release: 'shop/test/2' }))

    stop.abort()
    await first
    assert.deepEqual(codes(refusal), ['databases/migration-locked'])
    assert.match(refusal.message, /holds its lock: pid \d+, drover\/shop\/test\/1, from 127\.0\.0\.1, since \d{4}-/)
    await assert.rejects(stat(`${database.folder}/second`))
  })

  it('lets migrations of two databases run at the same time', async () => {
    const [one, two] = await Promise.all([server.database(), server.database()])
    const stop = new AbortController()
    const first = refused(migrate(one, one.tool('select pg_sleep(30)'), { signal: stop.signal }))
    await eventually(one, running('%pg_sleep%'))

    const second = await migrate(two, 'true')

    stop.abort()
    assert.equal(second.outcome, 'applied')
    assert.deepEqual(codes(await first), ['databases/migration-cancelled'])
  })
  it('that fails tells the last lines of its tool without secrets', async () => {
    const database = await server.database()
    const command = `echo "connects to $DATABASE_URL"; echo password ${database.password}; echo '42P07 exists' >&2; exit 3`

    const refusal = await refused(migrate(database, command))

    assert.deepEqual(codes(refusal), ['databases/migration-failed'])
    assert.match(refusal.message, /^store main \(127\.0\.0\.1:\d+\/shop_\w+\): echo .* exited with 3\n/)
    assert.match(refusal.message, /\n {2}\| connects to \[REDACTED\]\n/)
    assert.match(refusal.message, /\n {2}\| password \[REDACTED\]\n/)
    assert.match(refusal.message, /\n {2}\| 42P07 exists\n/)
    assert.match(refusal.message, /\n {2}HINT: The tool keeps no table/)
    assert.equal(refusal.message.includes(database.password), false)
  })

  it('that fails names what is half applied, why, and the exact way out', async () => {
    const database = await server.database()
    await (await database.session()).query(`create table users as select 'private' as email from generate_series(1, 2)`)
    const half = 'create table half (id int); commit; create unique index on users (email)'
    const command = `${database.tool('record=0002_unique emails', half)} # npx prisma migrate deploy`

    const refusal = await refused(
      migrate(database, command, { env: { A: 'b', SHOP_DB: database.url, DATABASE_URL: `${database.url.open()}?` } }),
    )

    assert.deepEqual(codes(refusal), ['databases/migration-failed', 'databases/half-applied'])
    assert.equal(refusal.outcome, 'failed-not-restored')
    const { what = '', hint = '' } = refusal.problems[1] ?? {}
    assert.match(what, /^migration 0002_unique emails is half applied: .*\n {2}\| ERROR: could not create unique index/)
    assert.equal(what.includes('private'), false)
    assert.ok(hint.includes(`on host local in ${database.folder}, with the store's address in SHOP_DB, run: `))
    assert.ok(hint.includes(`npx prisma migrate resolve --rolled-back '0002_unique emails' (or --applied`))
    assert.deepEqual(await database.ask(`select to_regclass('half')::text`), ['half'])
  })

  it('that failed goes on once the way out was taken', async () => {
    const database = await server.database()
    await refused(migrate(database, database.tool('record=0001_a', 'create table a (id int); select 1/0')))
    const again = await refused(migrate(database, database.tool('record=0001_a', 'create table a (id int)')))
    await database.ask('update _prisma_migrations set rolled_back_at = now()')

    const result = await migrate(database, database.tool('record=0001_a', 'create table a (id int)'))

    assert.deepEqual(codes(again), ['databases/migration-failed', 'databases/half-applied'])
    assert.deepEqual(result.migrations, ['0001_a'])
  })

  it('that fails is not believed when it ends well and has left something half applied', async () => {
    const database = await server.database()

    const refusal = await refused(migrate(database, `${database.tool('record=0001_a', 'select 1/0')} || true`))

    assert.deepEqual(codes(refusal), ['databases/migration-failed', 'databases/half-applied'])
  })

  it('gives up waiting for a table, whatever its tool thinks of that, and names who is in the way', async () => {
    const database = await server.database()
    const report = await database.session()
    await report.query(`create table orders (id int)`)
    await report.query(`begin; select 'private' from orders where id = 42`)

    const alter = database.tool('deaf', 'alter table orders add column note text')
    const refusal = await refused(migrate(database, alter, { lockTimeoutMs: 200 }))

    assert.deepEqual(codes(refusal), ['databases/lock-timeout'])
    assert.match(
      refusal.message,
      /in the way: pid \d+, user shop_\w+, for \d+\.\d s: \(idle in transaction, after\) begin; select \? from orders where id = \?\n/,
    )
    assert.equal((await report.query('commit')).command, 'COMMIT')
  })

  it('is ended whole at its time limit, in the database too', async () => {
    const database = await server.database()
    // Deaf to statement_timeout and to the name; what it does would be committed if the server carried it to its end.
    const late = 'create table late (id int); select pg_sleep(3)'

    const refusal = await refused(migrate(database, `sleep 300 & ${database.tool('deaf', late)}`, { timeoutMs: 1000 }))

    assert.deepEqual(codes(refusal), ['databases/migration-timeout'])
    assert.match(refusal.message, /did not end within 1\.0 s and was ended/)
    assert.deepEqual(await database.ask(running('%pg_sleep%')), [])
    assert.deepEqual(await database.ask(`select to_regclass('late')`), [null])
  })

  it('is told from one that could not be started', async () => {
    const database = await server.database()

    const noFolder = await refused(migrate(database, 'true', { cwd: '/nowhere/at/all' }))
    const noProgram = await refused(migrate(database, 'no-such-program --deploy'))

    assert.match(noFolder.message, /could not be started\n {2}\| cannot start working folder \/nowhere\/at\/all/)
    assert.match(noProgram.message, /no-such-program --deploy exited with 127/)
    assert.match(noProgram.message, /HINT: Is the program among the packages of the service/)
  })

  it('is ended when the connection with its lock is lost', async () => {
    const database = await server.database()
    const result = refused(migrate(database, database.tool('select pg_sleep(30)')))
    await eventually(database, running('%pg_sleep%'))

    await database.ask(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'drover/shop/test/1'`)

    assert.deepEqual(codes(await result), ['databases/connection-lost'])
    assert.deepEqual(await database.ask(running('%pg_sleep%')), [])
  })
})

describe('a migration that cannot begin', () => {
  async function whyNot(database: TestDatabase, change: (url: URL) => void): Promise<Refusal> {
    const url = new URL(database.url.open())
    change(url)
    const store = { name: 'main', kind: 'postgres', url: new Secret(url.href) } as const
    return refused(migrate(database, 'touch begun', { store }))
  }

  it('says so by its cause, and tells nobody the password', async () => {
    const database = await server.database()
    const badAddress = new Secret(database.url.open().replace('@', '@['))

    const refusals = [
      await whyNot(database, (url) => (url.password = 'wrong-pass%2Fword')),
      await whyNot(database, (url) => (url.pathname = '/nowhere')),
      await whyNot(database, (url) => (url.username = 'nobody')),
      await whyNot(database, (url) => (url.port = '1')),
      await whyNot(database, (url) => (url.hostname = 'nowhere.invalid')),
      await refused(migrate(database, 'touch begun', { store: { name: 'main', kind: 'postgres', url: badAddress } })),
      await refused(migrate(database, 'touch begun', { store: { name: 'cache', kind: 'redis', url: database.url } })),
    ]

    assert.deepEqual(refusals.flatMap(codes), [
      'databases/wrong-password',
      'databases/no-such-database',
      'databases/wrong-password',
      'databases/unreachable',
      'databases/unreachable',
      'databases/bad-address',
      'databases/not-postgres',
    ])
    const shown = refusals.map((each) => inspect(each, { depth: 9 }) + JSON.stringify(each) + String(each.stack)).join()
    for (const secret of [database.password, 'wrong-pass/word', 'wrong-pass%2Fword']) {
      assert.equal(shown.includes(secret), false)
    }
    await assert.rejects(stat(`${database.folder}/begun`))
  })

  it('is not begun when it is cancelled while it waits', async () => {
    const database = await server.database()
    const stop = new AbortController()
    await database.ask('select pg_advisory_lock(1146244950, 1)')

    const refusal = await refused(migrate(database, 'true', { signal: stop.signal, onLine: () => stop.abort() }))

    assert.deepEqual(codes(refusal), ['databases/migration-cancelled'])
  })
})

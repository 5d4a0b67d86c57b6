import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { codes, eventually, migrate, refused, running } from '../../test/databases/migrating.ts'
import { startTestServer } from '../../test/databases/server.ts'
import type { TestDatabase, TestServer } from '../../test/databases/server.ts'

let server: TestServer

before(async () => {
  server = await startTestServer()
})

after(() => server.stop())

/** A database with two tables that the application uses. */
async function shop(): Promise<{ database: TestDatabase; session: Client }> {
  const database = await server.database()
  const session = await database.session()
  await session.query('create table orders as select n as id from generate_series(1, 1000) as n')
  await session.query('create table items as select n as id from generate_series(1, 1000) as n')
  return { database, session }
}

function waitingFor(table: string): string {
  return `select pid from pg_locks where not granted and relation = '${table}'::regclass`
}

interface Application {
  /** Ends it; tells its longest answer in milliseconds and everything that went wrong. */
  stop(): Promise<{ readonly longestMs: number; readonly answers: number; readonly errors: readonly string[] }>
}

/** Reads and writes the orders without a pause, in one session that stays and in ever new ones. */
function application(database: TestDatabase): Application {
  const errors: string[] = []
  let longestMs = 0
  let answers = 0
  const stopped = new AbortController()

  async function ask(session: Client): Promise<void> {
    const began = performance.now()
    await session
      .query('insert into orders select count(*) from orders')
      .catch((error: unknown) => errors.push(String(error)))
    longestMs = Math.max(longestMs, performance.now() - began)
    answers++
  }

  async function staying(): Promise<void> {
    const session = await database.session('shop')
    while (!stopped.signal.aborted) {
      await ask(session)
      await sleep(5)
    }
  }

  async function coming(): Promise<void> {
    while (!stopped.signal.aborted) {
      const session = await database.session()
      await ask(session)
      await session.end()
      await sleep(50)
    }
  }

  const ended = Promise.all([staying(), coming()])
  return {
    async stop() {
      stopped.abort()
      await ended
      return { longestMs, answers, errors }
    },
  }
}

describe('a migration that waits for a table', { concurrency: 2 }, () => {
  const alter = 'alter table orders add column note text'
  const tools: readonly (readonly [what: string, words: readonly string[]])[] = [
    ['a tool that hands on lock_timeout', [alter]],
    ['a tool that knows neither lock_timeout nor its name', ['deaf', alter]],
    ['a statement that sets its own lock_timeout', ['set lock_timeout = 0', alter]],
    [
      'a transaction that has locked another table already',
      ['deaf', 'begin', 'alter table items add column note text', alter],
    ],
  ]
  for (const [what, words] of tools) {
    it(`gives up before the application notices: ${what}`, async (test) => {
      const { database } = await shop()
      const quiet = application(database)
      await sleep(1000)
      const baseline = await quiet.stop()
      const report = await database.session('reports')
      const longQuery = report.query(`select 'private' as a, count(*), pg_sleep(5) from orders where id > 42`)
      await eventually(database, running('%pg_sleep%'))
      const busy = application(database)

      const refusal = await refused(migrate(database, database.tool(...words), { lockTimeoutMs: 700 }))

      const during = await busy.stop()
      test.diagnostic(
        `longest answer ${baseline.longestMs.toFixed(0)} ms before, ${during.longestMs.toFixed(0)} ms while the migration waited`,
      )
      assert.deepEqual(codes(refusal), ['databases/lock-timeout'])
      assert.match(
        refusal.message,
        /in the way: pid \d+, user shop_\w+, for \d+\.\d s: select \? as a, count\(\*\), pg_sleep\(\?\) from orders where id > \?/,
      )
      assert.match(refusal.message, /HINT: .*select pg_terminate_backend\(\d+\)/)
      assert.deepEqual(during.errors, [])
      // The limit of scenario R16, in which a wall-clock time is the very thing that is promised.
      assert.ok(during.longestMs < 2000 + baseline.longestMs, `an answer took ${during.longestMs} ms`)
      assert.equal((await longQuery).rowCount, 1)
      assert.deepEqual(await database.ask(`select attname::text from pg_attribute where attname = 'note'`), [])
    })
  }

  it('is done when its tool tries again and the way is free', async () => {
    const { database } = await shop()
    const report = await database.session('reports')
    await report.query('begin; select count(*) from orders')
    const result = migrate(database, database.tool('deaf', 'retry', alter), {
      lockTimeoutMs: 300,
      onLine: (line) => {
        if (line.startsWith('canceling')) void report.query('commit')
      },
    })

    assert.equal((await result).outcome, 'applied')
    assert.deepEqual(await database.ask(`select attname::text from pg_attribute where attname = 'note'`), ['note'])
  })

  it('adds up the waits of one transaction, whose locks stay', async () => {
    const { database } = await shop()
    const [first, second] = await Promise.all([database.session(), database.session()])
    await first.query('begin; select count(*) from orders')
    await second.query('begin; select count(*) from items')
    const result = refused(
      migrate(database, database.tool('deaf', `begin; ${alter}; alter table items add column note text`), {
        lockTimeoutMs: 1500,
      }),
    )
    await eventually(database, waitingFor('orders'))
    await sleep(900)
    await first.query('commit')
    await eventually(database, waitingFor('items'))
    const letGo = sleep(1400).then(() => second.query('commit'))

    const refusal = await result

    await letGo
    assert.deepEqual(codes(refusal), ['databases/lock-timeout'])
  })
})

describe('a session of the application', () => {
  it('is never touched when it was there before, whatever it waits for', async () => {
    const { database } = await shop()
    const [holder, waiter] = await Promise.all([database.session(), database.session()])
    await holder.query('begin; select count(*) from orders')
    const maintenance = waiter.query('lock table orders in access exclusive mode; select 1')
    await eventually(database, waitingFor('orders'))

    const result = await migrate(database, database.tool('select pg_sleep(1.5)'), { lockTimeoutMs: 300 })

    await holder.query('commit')
    await maintenance
    assert.equal(result.outcome, 'applied')
  })

  it('is never touched when it came later and waits behind the migration', async () => {
    const { database } = await shop()
    const table = 'create table prices (id int)'
    const result = migrate(database, database.tool(table, 'begin; lock table prices; select pg_sleep(1.5); commit'), {
      lockTimeoutMs: 300,
    })
    await eventually(database, running('%pg_sleep%'))
    const session = await database.session()

    const { rows } = await session.query('select count(*)::int as count from prices')

    assert.deepEqual(rows, [{ count: 0 }])
    assert.equal((await result).outcome, 'applied')
  })
})

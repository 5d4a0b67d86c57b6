import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Refusal } from '../../src/problem/problem.ts'
import { Secret } from '../../src/secrets/secret.ts'
import { connect, type Database, isConnectionTrouble, openDatabase, patiently } from '../../src/journal/database.ts'
import { migrate } from '../../src/journal/migrate.ts'

/** Migrations and connections, tried on the server at this address; asked for when the tests run. */
export function databaseSuite(url: () => Secret): void {
  describe('migrate', () => {
    let files: string
    let database: Database

    beforeEach(async () => {
      files = await mkdtemp(join(tmpdir(), 'drover-migrations-'))
      database = openDatabase(url())
      await database.pool.query('DROP SCHEMA IF EXISTS drover CASCADE')
    })

    afterEach(async () => {
      await database.close()
      await rm(files, { recursive: true })
    })

    async function lay(name: string, sql: string): Promise<void> {
      await writeFile(join(files, name), sql)
    }

    async function refused(): Promise<Refusal> {
      const error: unknown = await migrate(url(), files).then(
        () => assert.fail('it was not refused'),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof Refusal, String(error))
      return error
    }

    it('applies what is new, in order, once', async () => {
      await lay('0001_one.sql', 'CREATE TABLE colours (name text, count bigint)')
      const first = await migrate(url(), files)
      await lay('0002_two.sql', `INSERT INTO colours VALUES ('red', 9007199254740991)`)
      const second = await migrate(url(), files)
      const third = await migrate(url(), files)

      assert.deepEqual([first, second, third], [['0001_one.sql'], ['0002_two.sql'], []])
      const { rows } = await database.pool.query('SELECT * FROM drover.colours')
      assert.deepEqual(rows, [{ name: 'red', count: 9007199254740991 }])
    })

    it('applies each once when several begin at the same time', async () => {
      await lay('0001_one.sql', 'CREATE TABLE colours (name text, count bigint)')
      await lay('0002_two.sql', `INSERT INTO colours VALUES ('red', 1)`)

      const applied = await Promise.all([migrate(url(), files), migrate(url(), files), migrate(url(), files)])

      assert.deepEqual(applied.flat().sort(), ['0001_one.sql', '0002_two.sql'])
    })

    it('keeps nothing of a file that fails, and the files before it', async () => {
      await lay('0001_one.sql', 'CREATE TABLE colours (name text, count bigint)')
      await lay('0002_two.sql', `INSERT INTO colours VALUES ('red', 1); SELECT broken`)

      const { problems } = await refused()

      assert.equal(problems[0]?.code, 'journal/migration-failed')
      assert.equal(problems[0]?.where.at, '0002_two.sql')
      assert.deepEqual((await database.pool.query('SELECT * FROM drover.colours')).rows, [])
    })

    it('refuses edited files and a newer database, all of them at once', async () => {
      await lay('0001_one.sql', 'SELECT 1')
      await lay('0002_two.sql', 'SELECT 2')
      await migrate(url(), files)
      await lay('0001_one.sql', 'SELECT 3')
      await rm(join(files, '0002_two.sql'))

      const { problems } = await refused()

      assert.deepEqual(
        problems.map(({ code, where }) => [code, where.at]),
        [
          ['journal/migration-edited', '0001_one.sql'],
          ['journal/database-newer', '0002_two.sql'],
        ],
      )
    })

    it('does not begin with two files of one number', async () => {
      await lay('0001_one.sql', 'SELECT 1')
      await lay('0001_two.sql', 'SELECT 1')

      await assert.rejects(migrate(url(), files), /0001_two\.sql/)
    })

    it('brings a database to the schema of this program', async () => {
      await migrate(url())

      const { rows } = await database.pool.query('SELECT drover.raise_fence() AS one, drover.raise_fence() AS two')

      assert.ok(rows[0].one >= Date.now() - 60_000 && rows[0].two > rows[0].one)
    })

    it('gives no fence twice when the clock stands behind the last one', async () => {
      await migrate(url())
      const ahead = Date.now() + 1_000_000
      await database.pool.query('UPDATE drover.fence SET number = $1', [ahead])

      const { rows } = await database.pool.query('SELECT drover.raise_fence() AS next')

      assert.equal(rows[0].next, ahead + 1)
    })
  })

  describe('database', () => {
    it('passes messages on, and says when some may have been missed', async () => {
      const database = openDatabase(url())
      const heard: (string | undefined)[] = []
      const ending = new AbortController()
      const listening = database.listen('news', (payload) => heard.push(payload), ending.signal)
      await until(() => heard.length === 1)

      await database.pool.query(`NOTIFY news, 'one'`)
      await until(() => heard.length === 2)
      await database.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`,
      )
      await until(() => heard.length === 3)
      await database.pool.query(`NOTIFY news, 'two'`)
      await until(() => heard.length === 4)
      ending.abort()
      await listening

      assert.deepEqual(heard, [undefined, 'one', undefined, 'two'])
      await database.close()
    })

    it('is refused in words, without its password, when nobody answers', async () => {
      const url = new Secret('postgresql://drover:hunter22@127.0.0.1:1/drover')

      const error: unknown = await connect(url).catch((reason: unknown) => reason)

      assert.ok(error instanceof Refusal)
      assert.equal(error.problems[0]?.code, 'journal/no-database')
      assert.ok(!error.message.includes('hunter22'))
      assert.ok(isConnectionTrouble(error))
    })

    it('is asked again while it is away, not when the question is wrong', async () => {
      const database = openDatabase(url())
      let tries = 0
      const away = async (): Promise<string> => {
        if (++tries < 3) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
        return 'back'
      }

      assert.equal(await patiently(away), 'back')
      await assert.rejects(
        patiently(() => database.pool.query('SELECT nonsense')),
        /nonsense/,
      )
      await database.close()
    })
  })
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !condition(); await delay(5)) assert.ok(performance.now() < end)
}

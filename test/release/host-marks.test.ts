import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { openDatabase } from '../../src/journal/database.ts'
import type { Database } from '../../src/journal/database.ts'
import { migrate } from '../../src/journal/migrate.ts'
import { hostMarks } from '../../src/release/host-marks.ts'
import { recordStore } from '../../src/release/record-store.ts'
import type { Sql } from '../../src/release/record-store.ts'
import { startTestServer } from '../databases/server.ts'
import type { TestServer } from '../databases/server.ts'

const ENVIRONMENT = { fleet: 'shop', environment: 'production' }
let server: TestServer
let database: Database
let sql: Sql

before(async () => {
  server = await startTestServer()
  const { url } = await server.database()
  await migrate(url)
  database = openDatabase(url)
  sql = {
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const { rows } = await database.pool.query(text, [...values])
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the caller says
      return { rows: rows as Row[] }
    },
  }
})

after(async () => {
  await database.close()
  await server.stop()
})

it('a mark stands until it is cleared, and one Drover alone takes the next try', async () => {
  const marks = hostMarks(sql)
  await marks.set(ENVIRONMENT, [
    { host: 'h1', since: 4, why: 'was lost' },
    { host: 'h2', since: 4, why: 'was lost' },
  ])
  await marks.set(ENVIRONMENT, [{ host: 'h1', since: 5, why: 'was left out' }])

  const [mark] = await marks.of(ENVIRONMENT)
  const tries = await Promise.all([1, 2, 3].map(() => marks.takeTry(ENVIRONMENT, mark!)))
  await marks.clear(ENVIRONMENT, ['h1', 'h2'], 5)
  const all = await marks.all()
  await marks.clear(ENVIRONMENT, ['h1'], 4)
  await marks.clear({ ...ENVIRONMENT, environment: 'staging' }, ['h2'])

  assert.deepEqual(mark, { host: 'h1', since: 4, why: 'was lost', tries: 0 })
  assert.equal(tries.filter(Boolean).length, 1)
  assert.deepEqual(
    all.map(({ fleet, host, since, tries: taken, triedAt }) => [fleet, host, since, taken, triedAt !== undefined]),
    [
      ['shop', 'h1', 4, 1, true],
      ['shop', 'h2', 4, 0, false],
    ],
  )
  assert.deepEqual(await marks.of(ENVIRONMENT), [{ host: 'h2', since: 4, why: 'was lost', tries: 0 }])
})

it('of the steps that enter a phase together one alone is told what was before', async () => {
  const records = recordStore(sql)
  const environment = { ...ENVIRONMENT, environment: 'staging' }
  const order = { goal: 'deploy', repository: '/repository' } as const
  const release = await records.add(environment, '/repository', { order, actor: 'anna' })

  const first = await Promise.all([1, 2, 3].map(() => records.enter(release, { phase: 'start', worker: 'w1' })))
  const { phase, startedAt } = await records.find(release)
  const second = await Promise.all([1, 2].map(() => records.enter(release, { phase: 'start', worker: 'w2' })))

  assert.deepEqual(
    first.filter((before) => before !== undefined),
    [{ phase: release.phase }],
  )
  assert.deepEqual([phase, typeof startedAt], ['start', 'number'])
  assert.deepEqual(
    second.filter((before) => before !== undefined),
    [{ phase: 'start', worker: 'w1' }],
  )
})

it('records say what a release left out, whom it healed, and what was live before', async () => {
  const records = recordStore(sql)
  const repository = '/repository'
  const deploy = { goal: 'deploy', repository, without: ['h2'] } as const
  const first = await records.add(ENVIRONMENT, repository, { order: deploy, actor: 'anna' })
  const heal = await records.add(ENVIRONMENT, repository, { order: { goal: 'heal', host: 'h2' }, actor: 'drover' })

  await records.change(heal, { liveBefore: first.number })
  for (const release of [first, heal]) await records.end(release, { outcome: 'kept', problems: [] })

  const found = await records.find(heal)
  assert.deepEqual([first.without, first.host, first.goal], [['h2'], undefined, 'deploy'])
  assert.deepEqual([found.without, found.host, found.goal, found.liveBefore], [undefined, 'h2', 'heal', 1])
  assert.equal((await records.previous(ENVIRONMENT, 3))?.number, 1)
})

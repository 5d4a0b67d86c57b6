import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Database, openDatabase } from '../database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres.ts'
import { migrate } from '../migrate.ts'
import { settled, until } from '../stage.ts'
import { type DbosEngine, dbosEngine, type DbosEngineOptions } from './dbos-engine.ts'

const LEASE = { beatMs: 40, leaseMs: 400 }

let folder: string
let postgres: EmbeddedPostgres
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-engine-'))
  postgres = await startEmbeddedPostgres({ folder })
  await migrate(postgres.url)
  database = openDatabase(postgres.url)
})

after(async () => {
  await database.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('dbos engine over several launches', () => {
  const engines: DbosEngine[] = []
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.shutdown()
  })

  /** One at a time: the engine before must have been shut down. */
  function open(id: string, options: Partial<DbosEngineOptions> = {}): DbosEngine {
    const engine = dbosEngine({ databaseUrl: postgres.url, executor: { id }, lease: LEASE, ...options })
    engines.push(engine)
    return engine
  }

  it('goes on after orderly ends, however often, and counts none of them against the step', async () => {
    let begun = 0
    const launch = async (): Promise<DbosEngine> => {
      const engine = open('restarted')
      const workflow = engine.define('long', (run) =>
        run.step('work', async (signal) => {
          begun++
          if (begun < 6) await delay(60_000, undefined, { signal })
          return begun
        }),
      )
      await engine.launch()
      await engine.start(workflow, 'long-1', null)
      return engine
    }

    for (let round = 1; round < 6; round++) {
      const engine = await launch()
      await until(() => begun === round)
      await engine.shutdown()
    }
    const last = await launch()

    assert.deepEqual(await settled(last, 'long-1'), { status: 'done', value: 6 })
  })

  it('stops, and gives no fence, once it was declared gone; its heir has a higher one', async () => {
    const log: string[] = []
    let lost = 0
    const paused = open('paused', { onLost: () => lost++ })
    const before = await launchStory(paused, log)
    await paused.start({ name: 'story' }, 'story-1', null)
    await until(() => log.includes('paused first'))

    await database.pool.query(`UPDATE drover.workers SET gone = true WHERE id = 'paused'`)
    await until(() => lost > 0)
    await assert.rejects(paused.fence(), /declared gone/)
    await delay(100)
    await paused.shutdown()
    const heir = open('heir')
    const fence = await launchStory(heir, log)

    assert.deepEqual(await settled(heir, 'story-1'), { status: 'done', value: 'heir' })
    assert.ok(fence > before)
    assert.equal(lost, 1)
    assert.deepEqual(log, ['paused first', 'heir first', 'heir second'])
  })

  it('names what nobody alive will go on with', async () => {
    const engine = open('watcher')
    const workflow = engine.define('waiter', (run) => run.receive('word', 60_000))
    await engine.launch()
    await engine.start(workflow, 'stranded-1', null)
    assert.deepEqual(await engine.strandedWorkflows(), [])

    await database.pool.query(
      `UPDATE dbos.workflow_status SET application_version = 'older' WHERE workflow_uuid = 'stranded-1'`,
    )
    const [stranded] = await engine.strandedWorkflows()

    assert.deepEqual(
      { id: stranded?.id, version: stranded?.version, worker: stranded?.worker },
      { id: 'stranded-1', version: 'older', worker: 'watcher' },
    )
    await engine.cancel('stranded-1')
  })

  it('forgets what ended long enough ago, with children and messages, and nothing that runs', async () => {
    const engine = open('keeper')
    const leaf = engine.define('leaf', async () => 'leaf')
    const workflow = engine.define('tree', async (run) => (await run.child(leaf, 'leaf', null)).status)
    const waiter = engine.define('waiter', (run) => run.receive('word', 60_000))
    await engine.launch()
    await engine.start(workflow, 'tree-1', null)
    await engine.start(waiter, 'waiter-1', null)
    await settled(engine, 'tree-1')

    assert.equal(await engine.deleteFinished(3_600_000), 0)
    assert.ok((await engine.deleteFinished(0)) > 0)

    const { rows } = await database.pool.query(`SELECT workflow_uuid AS id FROM dbos.workflow_status ORDER BY 1`)
    assert.deepEqual(rows, [{ id: 'waiter-1' }])
    await engine.cancel('waiter-1')
  })
})

/** Its second step begins only after a while, time enough to lose one's place. Answers the fence. */
async function launchStory(engine: DbosEngine, log: string[]): Promise<number> {
  let name = ''
  engine.define('story', async (run) => {
    await run.step('first', async (signal) => {
      log.push(`${name} first`)
      if (name === 'paused') await delay(60_000, undefined, { signal })
    })
    await run.step('second', async () => log.push(`${name} second`))
    return name
  })
  name = log.length === 0 ? 'paused' : 'heir'
  await engine.launch()
  return engine.fence()
}

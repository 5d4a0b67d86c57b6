import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { seeded } from '../../../test/journal/random.ts'
import { Rehearsal, until } from '../../../test/journal/rehearsal.ts'
import { Services } from '../../../test/journal/service.ts'
import type { Code } from '../../../test/journal/stories.ts'
import type { Settled } from '../engine.ts'

const WORKFLOWS = 250
const CHAINS = ['a', 'b', 'c', 'd']
const KILLS = 6
const HISTORIES = 20

describe('replay', () => {
  let rehearsal: Rehearsal
  before(async () => {
    rehearsal = await Rehearsal.open()
  })
  afterEach(() => rehearsal.reset())
  after(() => rehearsal.end())

  it(`R05: gives every result of ${WORKFLOWS * CHAINS.length} parallel chains to its own chain, kills or not`, async (t) => {
    const random = seeded(t)
    const services = new Services(rehearsal, ['a', 'b'], { lease: { beatMs: 500, leaseMs: 3000 } })
    t.after(() => services.end())
    const chains = CHAINS.map((name) => ({ name, durations: [random.between(0, 20), random.between(0, 20)] }))
    const killing = killNowAndThen(services, () => random.between(1500, 4000))
    t.after(() => killing.end())

    const begun = performance.now()
    for (let first = 0; first < WORKFLOWS; first += 50) {
      const ids = Array.from({ length: 50 }, (_, index) => `chains-${first + index}`)
      await services.ask(async (worker) => {
        await Promise.all(ids.map((id) => worker.start('chains', id, chains)))
      })
    }
    await until(async () => (await countDone(rehearsal)) === WORKFLOWS, 'all workflows', 55_000)
    const kills = await killing.end()

    t.diagnostic(`${kills} kills, ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    for (const [id, end] of await allEnds(rehearsal)) {
      const own = chains.map(({ name }) => [name, [`${id}/${name}:0`, `${id}/${name}:1`]])
      assert.deepEqual(end, { status: 'done', value: Object.fromEntries(own) })
    }
  })

  it(`R08: fails ${HISTORIES} stored histories under code with an inserted step, and none under code with a patch`, async () => {
    await leavePending(rehearsal, 'unpatched')
    const unpatched = await finishUnder(rehearsal, 'unpatched', 'step inserted')
    await leavePending(rehearsal, 'patched')
    const patched = await finishUnder(rehearsal, 'patched', 'step inserted with a patch')
    const fresh = await finishUnder(rehearsal, 'fresh', 'step inserted with a patch')

    for (const end of unpatched) {
      assert.ok(end.status === 'failed')
      assert.match(end.error.message, /was recorded when approval\.scan was expected/)
    }
    for (const end of patched) assert.deepEqual(end, { status: 'done', value: ['build', 'yes', 'ship'] })
    for (const end of fresh) assert.deepEqual(end, { status: 'done', value: ['build', 'scan', 'yes', 'ship'] })
  })
})

/** Starts approvals under the old code, and kills their worker once all of them wait. */
async function leavePending(rehearsal: Rehearsal, prefix: string): Promise<void> {
  const worker = await rehearsal.spawn('w').ready()
  for (const id of histories(prefix)) await worker.start('approval', id, null)
  await until(async () => {
    const { rows } = await rehearsal.database.pool.query<{ waiting: number }>(
      `SELECT count(*) AS waiting FROM dbos.operation_outputs
       WHERE function_name = 'DBOS.sleep' AND starts_with(workflow_uuid, $1)`,
      [prefix],
    )
    return rows[0]?.waiting === HISTORIES
  }, 'all to wait')
  await worker.kill()
}

/** Starts them unless they are there, approves all, and hands their ends back. */
async function finishUnder(rehearsal: Rehearsal, prefix: string, code: Code): Promise<Settled<unknown>[]> {
  const worker = await rehearsal.spawn('w', { code }).ready()
  for (const id of histories(prefix)) {
    await worker.start('approval', id, null)
    await worker.ask({ ask: 'send', id, topic: 'approval', message: 'yes' })
  }
  const ends: Settled<unknown>[] = []
  for (const id of histories(prefix)) ends.push(await rehearsal.settled(id))
  assert.deepEqual(await worker.ask({ ask: 'stranded' }), [])
  await worker.kill()
  return ends
}

function histories(prefix: string): string[] {
  return Array.from({ length: HISTORIES }, (_, index) => `${prefix}-${index}`)
}

/** Kills one worker after the other. */
function killNowAndThen(services: Services, pause: () => number): { end(): Promise<number> } {
  const ending = new AbortController()
  let kills = 0
  async function kill(): Promise<void> {
    while (kills < KILLS && (await delay(pause(), true, { signal: ending.signal }).catch(() => false))) {
      services.kill(kills % 2 === 0 ? 'a' : 'b')
      kills++
    }
  }
  const killing = kill()
  return {
    async end() {
      ending.abort()
      await killing
      return kills
    },
  }
}

async function countDone(rehearsal: Rehearsal): Promise<number> {
  const { rows } = await rehearsal.database.pool.query<{ done: number }>(
    `SELECT count(*) AS done FROM dbos.workflow_status WHERE name = 'chains' AND status NOT IN ('PENDING', 'ENQUEUED')`,
  )
  return rows[0]?.done ?? 0
}

async function allEnds(rehearsal: Rehearsal): Promise<Map<string, Settled<unknown>>> {
  const { rows } = await rehearsal.database.pool.query<{ id: string; output: string }>(
    `SELECT workflow_uuid AS id, o.output FROM dbos.workflow_status JOIN dbos.workflow_output o USING (workflow_uuid)
     WHERE name = 'chains'`,
  )
  assert.equal(rows.length, WORKFLOWS)
  return new Map(rows.map(({ id, output }) => [id, JSON.parse(output).v]))
}

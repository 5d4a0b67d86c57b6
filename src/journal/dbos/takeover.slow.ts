import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { overtaken, timesDone } from '../../../test/journal/pretend-hosts.ts'
import { type Random, seeded } from '../../../test/journal/random.ts'
import { LEASE, Rehearsal, until } from '../../../test/journal/rehearsal.ts'
import type { NodePlan } from '../../../test/journal/stories.ts'

describe('takeover', () => {
  let rehearsal: Rehearsal
  before(async () => {
    rehearsal = await Rehearsal.open()
  })
  afterEach(() => rehearsal.reset())
  after(() => rehearsal.end())

  it('finishes a release of 19 nodes whose worker is killed, again and again', async (t) => {
    const random = seeded(t)
    const nodes = randomPlan(random)
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map((id) => rehearsal.spawn(id).ready()))
    await workers[0]?.start('release', 'a1', nodes)

    const kills = workers.slice(1)
    for (const worker of kills.map((_, index) => workers[index])) {
      await delay(random.between(20, 400))
      const before = (await rehearsal.hosts.history()).length
      const killedAt = Date.now()
      await worker?.kill()
      await until(async () => (await rehearsal.hosts.history()).length > before, 'the takeover')
      const next = (await rehearsal.hosts.history())[before]
      t.diagnostic(
        `${worker?.id} killed: next command ${(next?.at ?? 0) - killedAt} ms later (lease ${LEASE.leaseMs} ms)`,
      )
    }
    const end = await rehearsal.settled('a1')

    assert.deepEqual(end, { status: 'done', value: Object.fromEntries(nodes.map(({ key }) => [key, 'done'])) })
    const history = await rehearsal.hosts.history()
    const times = timesDone(history)
    assert.equal(times.size, nodes.flatMap(({ input }) => input.steps).length, 'every step was carried out')
    for (const [step, count] of times) assert.ok(count <= 1 + kills.length, `${step} ran ${count} times`)
    assert.deepEqual(overtaken(history), [])
  })

  it('finishes the work of a worker that died before the clock of the database was set back', async () => {
    const [gone, heir] = [rehearsal.spawn('gone'), rehearsal.spawn('heir')]
    await Promise.all([gone.ready(), heir.ready()])
    await gone.start('release', 'g1', [{ key: 'n', needs: [], input: { host: 'web', steps: [0, 600, 0] } }])
    await until(async () => (await rehearsal.hosts.history()).length > 0, 'the first step')
    await gone.kill()
    await rehearsal.database.pool.query(`UPDATE drover.workers SET beat = beat + interval '1 hour' WHERE id = 'gone'`)

    const end = await rehearsal.settled('g1')

    assert.deepEqual(end, { status: 'done', value: { n: 'done' } })
  })

  it('finishes what a worker took that had been taken over, before it noticed', async () => {
    const thief = await rehearsal.spawn('thief', { lease: { beatMs: 60_000, leaseMs: 120_000 } }).ready()
    // As at the end of a takeover; after the first one its next beat, by which it would notice, is far away.
    const deleted = `DELETE FROM drover.workers WHERE id = 'thief' AND beat > joined`
    await until(async () => (await rehearsal.database.pool.query(deleted)).rowCount === 1, 'its first beat')
    const plan: NodePlan[] = [{ key: 'n', needs: [], input: { host: 'web', steps: [0] } }]
    // It may have ended before it answers.
    await thief.start('release', 'i1', plan).catch(() => undefined)
    assert.deepEqual(await thief.ended, { code: 70, signal: null })

    await rehearsal.spawn('heir').ready()

    assert.deepEqual(await rehearsal.settled('i1'), { status: 'done', value: { n: 'done' } })
  })

  it('takes nobody for dead because the clock of the database was set', async () => {
    const workers = [rehearsal.spawn('one'), rehearsal.spawn('other')]
    await Promise.all(workers.map((worker) => worker.ready()))
    // Both have beaten long enough to judge others.
    await delay(2 * LEASE.leaseMs)
    const token = async (): Promise<unknown[]> =>
      (await rehearsal.database.pool.query('SELECT token FROM drover.workers ORDER BY token')).rows
    const before = await token()

    for (const hours of [1, -1]) {
      await rehearsal.database.pool.query(`UPDATE drover.workers SET beat = beat - $1 * interval '1 hour'`, [hours])
      await delay(LEASE.leaseMs)
    }

    assert.deepEqual(await token(), before)
  })

  it('begins what is queued after its own clock was set back', async () => {
    const worker = await rehearsal.spawn('worker').ready()
    await worker.ask({ ask: 'set-back', ms: 3_600_000 })
    await delay(1_000)

    await worker.start('release', 'h1', [{ key: 'n', needs: [], input: { host: 'web', steps: [0] } }], 'lane')

    assert.deepEqual(await rehearsal.settled('h1'), { status: 'done', value: { n: 'done' } })
  })

  it('begins what is queued after its own clock went forward and came back at once', async () => {
    const worker = await rehearsal.spawn('worker').ready()
    for (let times = 0; times < 3; times++) {
      await worker.ask({ ask: 'set-back', ms: -3_600_000 })
      await delay(250)
      await worker.ask({ ask: 'set-back', ms: 3_600_000 })
      await delay(250)
    }

    await worker.start('release', 'h2', [{ key: 'n', needs: [], input: { host: 'web', steps: [0] } }], 'lane')

    assert.deepEqual(await rehearsal.settled('h2'), { status: 'done', value: { n: 'done' } })
  })

  it('lets a paused worker do nothing once it wakes', async (t) => {
    const [zombie, heir] = [rehearsal.spawn('zombie'), rehearsal.spawn('heir')]
    await Promise.all([zombie.ready(), heir.ready()])
    const steps = [0, 600, 0, 0]
    await zombie.start('release', 'b1', [{ key: 'n', needs: [], input: { host: 'web', steps } }])
    // It has asked for its fence and is about to act.
    await until(async () => (await rehearsal.hosts.history()).length === 1, 'the first step')
    await delay(200)

    zombie.signal('SIGSTOP')
    const end = await rehearsal.settled('b1')
    const woken = Date.now()
    zombie.signal('SIGCONT')
    const ending = await zombie.ended

    t.diagnostic(`exited ${Date.now() - woken} ms after waking`)
    assert.deepEqual(end, { status: 'done', value: { n: 'done' } })
    assert.deepEqual(ending, { code: 70, signal: null })
    const history = await rehearsal.hosts.history()
    assert.deepEqual(overtaken(history), [])
    const last = history.findLastIndex((act) => act.worker === 'zombie' && act.accepted)
    const first = history.findIndex((act) => act.worker === 'heir')
    assert.ok(last < first, 'the zombie carried something out after its heir')
  })

  it('R11: starts the next in a lane whose owner was killed', async (t) => {
    const [owner, other] = [rehearsal.spawn('owner'), rehearsal.spawn('other')]
    await Promise.all([owner.ready(), other.ready()])
    // Both look at the lane; the owner is whoever got there first.
    await owner.start(
      'release',
      'c1',
      [{ key: 'n', needs: [], input: { host: 'one', steps: [0, 300, 0] } }],
      'shop/production',
    )
    await owner.start('release', 'c2', [{ key: 'n', needs: [], input: { host: 'two', steps: [0] } }], 'shop/production')
    await until(async () => (await rehearsal.hosts.history()).length === 1, 'the first release')
    const holder = (await rehearsal.hosts.history())[0]?.worker === 'owner' ? owner : other

    const killedAt = Date.now()
    await holder.kill()
    const ends = [await rehearsal.settled('c1'), await rehearsal.settled('c2')]

    assert.deepEqual(
      ends.map(({ status }) => status),
      ['done', 'done'],
    )
    const history = await rehearsal.hosts.history()
    const second = history.findIndex(({ workflow }) => workflow.startsWith('c2'))
    t.diagnostic(`the next release began ${(history[second]?.at ?? 0) - killedAt} ms after the death`)
    assert.ok(
      history.slice(second).every(({ workflow }) => workflow.startsWith('c2')),
      'the two did not mix',
    )
  })

  it('refuses a second process of the same name, at once, and lets a killed one come back', async () => {
    const first = await rehearsal.spawn('same').ready()

    await assert.rejects(rehearsal.spawn('same').ready(), /journal\/worker-name-taken/)

    await first.start('bystander', 'd1', 300)
    await first.kill()
    await rehearsal.spawn('same').ready()
    assert.deepEqual(await rehearsal.settled('d1'), { status: 'done', value: 'unharmed' })
  })

  it('hands on at an orderly end what was under way, without waiting for the lease', async (t) => {
    const leaver = await rehearsal.spawn('leaver', { lease: { beatMs: 100, leaseMs: 30_000 } }).ready()
    await rehearsal.spawn('stayer').ready()
    await leaver.start('bystander', 'e1', 1500)
    await delay(200)

    const left = Date.now()
    await leaver.ask({ ask: 'shutdown' })
    const end = await rehearsal.settled('e1')

    t.diagnostic(`ended ${Date.now() - left} ms after the other had left, with 1500 ms of work`)
    assert.deepEqual(end, { status: 'done', value: 'unharmed' })
  })
})

/** 19 nodes on 19 hosts with three steps each; a node needs up to three of those before it. */
function randomPlan(random: Random): NodePlan[] {
  return Array.from({ length: 19 }, (_, index) => ({
    key: `n${index}`,
    needs: [
      ...new Set(Array.from({ length: index === 0 ? 0 : random.between(0, 4) }, () => `n${random.between(0, index)}`)),
    ],
    input: { host: `h${index}`, steps: [0, 0, 0].map(() => random.between(20, 150)) },
  }))
}

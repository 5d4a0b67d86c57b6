import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { timesDone } from '../../../test/journal/pretend-hosts.ts'
import { seeded } from '../../../test/journal/random.ts'
import { Rehearsal, until } from '../../../test/journal/rehearsal.ts'
import { Services } from '../../../test/journal/service.ts'

describe('harm', () => {
  let rehearsal: Rehearsal
  before(async () => {
    rehearsal = await Rehearsal.open()
  })
  afterEach(() => rehearsal.reset())
  after(() => rehearsal.end())

  it('R10: gives up a step that kills its worker three times, and nothing beside it', async (t) => {
    const services = new Services(rehearsal, ['w'])
    t.after(() => services.end())
    await services.ask(async (worker) => {
      for (const id of ['b1', 'b2']) await worker.start('bystander', id, 1200)
      await worker.start('poison', 'p1', null)
    })

    const poison = await rehearsal.settled('p1')
    const bystanders = [await rehearsal.settled('b1'), await rehearsal.settled('b2')]
    await services.end()

    assert.equal(services.deaths, 3)
    assert.equal(timesDone(await rehearsal.hosts.history()).get('p1 kill'), 3)
    assert.ok(poison.status === 'failed' && poison.error.poison === true, JSON.stringify(poison))
    for (const end of bystanders) assert.deepEqual(end, { status: 'done', value: 'unharmed' })
  })

  it('goes on by itself after the database was away, and does nothing twice', async (t) => {
    const random = seeded(t)
    const worker = await rehearsal.spawn('w').ready()
    const nodes = Array.from({ length: 6 }, (_, index) => ({
      key: `n${index}`,
      needs: index < 3 ? [] : [`n${index - 3}`],
      input: { host: `h${index}`, steps: [0, 0, 0, 0].map(() => random.between(30, 200)) },
    }))
    await worker.start('release', 'o1', nodes)
    await delay(random.between(50, 400))

    await outage(rehearsal, random.between(2000, 4000))
    const back = Date.now()
    const end = await rehearsal.settled('o1')

    t.diagnostic(`ended ${Date.now() - back} ms after the database was back`)
    assert.equal(end.status, 'done')
    const history = await rehearsal.hosts.history()
    assert.equal(history.length, 24)
    for (const [step, times] of timesDone(history)) assert.equal(times, 1, step)
  })

  it('delivers a message once that was sent twice while nobody ran', async () => {
    const worker = await rehearsal.spawn('w').ready()
    await worker.start('approval', 'm1', null)
    await worker.ask({ ask: 'send', id: 'm1', topic: 'approval', message: 'yes', key: 'click' })
    await worker.kill()
    const next = await rehearsal.spawn('w').ready()
    await next.ask({ ask: 'send', id: 'm1', topic: 'approval', message: 'yes', key: 'click' })

    assert.deepEqual(await rehearsal.settled('m1'), { status: 'done', value: ['build', 'yes', 'ship'] })
    const { rows } = await rehearsal.database.pool.query(`SELECT FROM dbos.notifications WHERE destination_uuid = 'm1'`)
    assert.equal(rows.length, 1)
  })

  it('starts no node after a cancellation, whichever process hears of it', async (t) => {
    const random = seeded(t)
    const [worker, other] = await Promise.all([rehearsal.spawn('w').ready(), rehearsal.spawn('other').ready()])
    const nodes = Array.from({ length: 8 }, (_, index) => ({
      key: `n${index}`,
      needs: index === 0 ? [] : [`n${index - 1}`],
      input: { host: `h${index}`, steps: [100, 100] },
    }))
    await worker.start('release', 'c1', nodes)
    await until(async () => (await rehearsal.hosts.history()).length > 1, 'the second step')
    await delay(random.between(0, 300))

    const asked = Date.now()
    await other.ask({ ask: 'cancel', id: 'c1' })
    await until(async () => (await worker.ask({ ask: 'result', id: 'c1' })) !== undefined, 'the steps to end')
    const ended = await rehearsal.hosts.history()
    await delay(1000)

    t.diagnostic(`all quiet ${Date.now() - asked - 1000} ms after the cancellation`)
    assert.deepEqual(await worker.ask({ ask: 'result', id: 'c1' }), { status: 'cancelled' })
    assert.deepEqual(await rehearsal.hosts.history(), ended, 'nothing happened after it had settled')
    assert.ok(ended.length < 16)
  })
})

/** Stops the database at once, keeps it from coming back for a while, and waits until it has. */
async function outage(rehearsal: Rehearsal, ms: number): Promise<void> {
  const data = join(rehearsal.folder, 'journal', 'data')
  const stopped = rehearsal.postgres.pid
  process.kill(stopped, 'SIGQUIT')
  await rename(data, `${data}.away`)
  await delay(ms)
  await rename(`${data}.away`, data)
  await until(() => rehearsal.postgres.pid !== stopped, 'the database')
}

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Refusal, refusal } from '../problem/problem.ts'
import type { Engine, Settled } from './engine.ts'
import { type Body, mostAtOnce, openStage, recorder, settled, type Stage, statuses, stubborn, until } from './stage.ts'

/** Every engine keeps these promises; they are those of `engine.ts`, one test each. */
export function engineConformance(name: string, make: () => Promise<Engine>): void {
  describe(`${name} engine`, () => {
    let engine: Engine
    let stage: Stage
    let id: string

    before(async () => {
      engine = await make()
      stage = openStage(engine)
      await engine.launch()
    })
    after(() => engine.shutdown())
    beforeEach(() => {
      id = `t${Math.random().toString(36).slice(2)}`
    })

    async function play(body: Body): Promise<Settled<unknown>> {
      await stage.start(id, body)
      return settled(engine, id)
    }

    describe('steps', () => {
      it('hands a result back', async () => {
        const end = await play(async (run) => (await run.step('double', async () => 20 * 2)) + 1)

        assert.deepEqual(end, { status: 'done', value: 41 })
      })

      it('knows no result of what does not exist', async () => {
        assert.equal(await engine.result(id), undefined)
      })

      it('keeps values as JSON does, and undefined', async () => {
        const seen: unknown[] = []
        const end = await play(async (run) => {
          seen.push(await run.step('nothing', async () => undefined))
          seen.push(await run.step('date', async () => ({ at: new Date(0), gone: undefined })))
        })

        assert.deepEqual(seen, [undefined, { at: '1970-01-01T00:00:00.000Z' }])
        assert.deepEqual(end, { status: 'done', value: undefined })
      })

      it('throws a refusal of a step as a refusal, and reports its problems when nobody catches it', async () => {
        const caught: unknown[] = []
        const end = await play(async (run) => {
          await run.step('catch', refuse).catch((error: unknown) => caught.push(error))
          await run.step('let go', refuse)
        })

        assert.ok(caught[0] instanceof Refusal)
        assert.deepEqual(caught[0].problems, [PROBLEM])
        assert.deepEqual(end, {
          status: 'failed',
          error: { message: caught[0].message, problems: [PROBLEM], outcome: 'refused' },
        })
      })

      it('tries again as often as it may, and only what is worth it', async () => {
        const tries = { flaky: 0, hopeless: 0 }
        const options = {
          attempts: 3,
          retryIf: (error: unknown) => error instanceof Error && error.message === 'again',
        }
        const end = await play(async (run) => {
          await run.step('flaky', async () => assert.equal(++tries.flaky, 2, new Error('again')), options)
          await run.step('hopeless', async () => assert.equal(++tries.hopeless, 9, new Error('never')), options)
        })

        assert.deepEqual(tries, { flaky: 2, hopeless: 1 })
        assert.deepEqual(end, { status: 'failed', error: { message: 'never' } })
      })

      it('takes each for another, whatever its name', async () => {
        const end = await play(async (run) => {
          const values: number[] = []
          for (let n = 0; n < 6; n++) values.push(await run.step('again', async () => n))
          return values
        })

        assert.deepEqual(end, { status: 'done', value: [0, 1, 2, 3, 4, 5] })
      })

      it('refuses two at the same time', async () => {
        const end = await play((run) => Promise.all([run.step('one', () => delay(5)), run.step('two', () => delay(5))]))

        assert.equal(end.status, 'failed')
        assert.match(
          end.status === 'failed' ? end.error.message : '',
          /scene\.two was begun while scene\.one is under way/,
        )
      })

      it('may ask the engine for more', async () => {
        const end = await play(async (run) => {
          await run.step('start another', () => stage.start(`${id}-other`, async () => 'here'))
        })

        assert.equal(end.status, 'done')
        assert.deepEqual(await settled(engine, `${id}-other`), { status: 'done', value: 'here' })
      })
    })

    describe('children', () => {
      it('answers failures as values', async () => {
        const half = stage.cast(id, async (_, n) => (n % 2 === 0 ? n / 2 : assert.fail('odd')))
        const end = await play(async (run) => [await run.child(half, 'a', 4), await run.child(half, 'b', 5)])

        assert.deepEqual(end, {
          status: 'done',
          value: [
            { status: 'done', value: 2 },
            { status: 'failed', error: { message: 'odd' } },
          ],
        })
      })

      it('plays a graph in its order, each node as soon as it can, no more than its limit at once', async () => {
        const log: string[] = []
        const node = stage.cast(id, recorder(log))
        const nodes = [
          { key: 'last', needs: ['left', 'right'], input: 0 },
          { key: 'left', needs: ['first'], input: 0 },
          { key: 'right', needs: ['first'], input: 0 },
          { key: 'extra', needs: ['first'], input: 0 },
          { key: 'first', needs: [], input: 0 },
        ]
        const end = await play(async (run) => [...(await run.graph(node, nodes, { limit: 2 })).keys()])

        assert.equal(end.status, 'done')
        assert.equal(log.length, 10)
        for (const { key, needs } of nodes) {
          for (const need of needs) assert.ok(log.indexOf(`${need} ends`) < log.indexOf(`${key} begins`), log.join())
        }
        assert.ok(mostAtOnce(log) <= 2, log.join())
      })

      it('starts nothing after the first failure, and waits for what is under way', async () => {
        const log: string[] = []
        const node = stage.cast(id, recorder(log))
        const nodes = [
          { key: 'bad', needs: [], input: -1 },
          { key: 'slow', needs: [], input: 60 },
          { key: 'never', needs: ['slow'], input: 0 },
        ]
        const end = await play(async (run) => statuses(await run.graph(node, nodes)))

        assert.deepEqual(end, { status: 'done', value: { bad: 'failed', slow: 'done' } })
        assert.ok(!log.includes('never begins'))
      })

      it('cancels what is under way after the first failure when told to', async () => {
        const log: string[] = []
        const node = stage.cast(id, recorder(log))
        const nodes = [
          { key: 'slow', needs: [], input: 60_000 },
          { key: 'bad', needs: [], input: -1 },
        ]
        const end = await play(async (run) => statuses(await run.graph(node, nodes, { cancelOnFailure: true })))

        assert.deepEqual(end, { status: 'done', value: { slow: 'cancelled', bad: 'failed' } })
        assert.ok(log.includes('slow ends'), 'the cancelled step had ended when the graph did')
      })

      it('does not begin a graph that cannot be ended', async () => {
        const node = stage.cast(id, recorder([]))
        const end = await play(async (run) => {
          const a = { key: 'a', needs: ['b'], input: 0 }
          await assert.rejects(run.graph(node, [a]), /needs b, which is not in it/)
          await assert.rejects(run.graph(node, [a, { key: 'b', needs: ['a'], input: 0 }]), /cycle/)
          await assert.rejects(run.graph(node, [a, a]), /same key/)
        })

        assert.deepEqual(end, { status: 'done', value: undefined })
      })
    })

    describe('cancelling', () => {
      it('interrupts the step, begins no other, and takes the children along', async () => {
        const log: string[] = []
        const node = stage.cast(id, recorder(log))
        await stage.start(id, async (run) => {
          await run.graph(node, [
            { key: 'one', needs: [], input: 60_000 },
            { key: 'two', needs: ['one'], input: 0 },
          ])
          log.push('went on')
        })
        await until(() => log.includes('one begins'))

        await engine.cancel(id)

        assert.deepEqual(await settled(engine, id), { status: 'cancelled' })
        assert.deepEqual(await settled(engine, `${id}/one`), { status: 'cancelled' })
        assert.deepEqual(log, ['one begins', 'one ends'])
      })

      it('is told to a parent once the steps of its child have ended, and the parent goes on', async () => {
        const log: string[] = []
        const story = stage.cast(id, async (run) => {
          await run.step('stubborn', async () => {
            log.push('begins')
            await delay(120)
            log.push('ends')
          })
          log.push('went on')
        })
        await stage.start(id, async (run) => {
          const told = await run.child(story, 'story', 0)
          log.push(told.status)
          return run.step('clean up', async () => 'cleaned')
        })
        await until(() => log.includes('begins'))

        await engine.cancel(`${id}/story`)

        assert.deepEqual(await settled(engine, id), { status: 'done', value: 'cleaned' })
        assert.deepEqual(log, ['begins', 'ends', 'cancelled'])
      })

      it('ends a sleep and a wait for a message', async () => {
        await stage.start(`${id}-s`, (run) => run.sleepUntil(Date.now() + 60_000))
        await stage.start(`${id}-l`, (run) => run.receive('word', 60_000))

        await engine.cancel(`${id}-s`)
        await engine.cancel(`${id}-l`)

        assert.deepEqual(await settled(engine, `${id}-s`), { status: 'cancelled' })
        assert.deepEqual(await settled(engine, `${id}-l`), { status: 'cancelled' })
      })

      it('does nothing to what has ended or never was', async () => {
        assert.equal((await play(async () => 1)).status, 'done')

        await engine.cancel(id)
        await engine.cancel(`${id}-unknown`)

        assert.equal((await engine.result(id))?.status, 'done')
      })
    })

    describe('lanes', () => {
      it('run one at a time, in the order of arrival; other lanes and a second start of the same do not matter', async () => {
        const log: string[] = []
        const body = stubborn(log)
        const ids = ['a', 'b', 'c', 'd'].map((name) => `${id}-${name}`)

        for (const each of ids) await stage.start(each, body, { input: 10, lane: id })
        await stage.start(`${id}-a`, body, { input: 10, lane: id })
        await stage.start(`${id}-free`, body, { lane: `${id}-other` })
        for (const each of [...ids, `${id}-free`]) await settled(engine, each)

        const inLane = log.filter((line) => !line.includes('free'))
        assert.deepEqual(
          inLane,
          ids.flatMap((each) => [`${each} begins`, `${each} ends`]),
        )
      })

      it('are free only when the steps of a cancelled one have ended', async () => {
        const log: string[] = []
        const body = stubborn(log)
        await stage.start(`${id}-1`, body, { input: 150, lane: id })
        await stage.start(`${id}-2`, body, { lane: id })
        await stage.start(`${id}-3`, body, { lane: id })
        await until(() => log.includes(`${id}-1 begins`))

        await engine.cancel(`${id}-2`)
        await engine.cancel(`${id}-1`)

        assert.deepEqual(await settled(engine, `${id}-3`), { status: 'done', value: undefined })
        assert.deepEqual(await settled(engine, `${id}-2`), { status: 'cancelled' })
        assert.deepEqual(log, [`${id}-1 begins`, `${id}-1 ends`, `${id}-3 begins`, `${id}-3 ends`])
      })

      it('have room for children of any name', async () => {
        const leaf = stage.cast(id, (run) => run.step('do', async () => 'leaf'))
        const root: Body = async (run) => {
          await run.step('first', async () => undefined)
          return run.child(leaf, 'scene', 0)
        }

        await stage.start(id, root, { lane: id })

        assert.deepEqual(await settled(engine, id), { status: 'done', value: { status: 'done', value: 'leaf' } })
      })
    })

    describe('messages, time and patches', () => {
      it('receives messages of a topic in order, one of each key, and gives up in time', async () => {
        await stage.start(id, async (run) => [
          await run.receive('word', 20_000),
          await run.receive('word', 20_000),
          await run.receive('other', 20_000),
          await run.receive('word', 20),
        ])

        await engine.send(id, 'word', { yes: true }, 'click')
        await engine.send(id, 'word', { yes: true }, 'click')
        await engine.send(id, 'word', null)
        await engine.send(id, 'other', 3)

        assert.deepEqual(await settled(engine, id), { status: 'done', value: [{ yes: true }, null, 3, null] })
      })

      it('refuses a message to nobody', async () => {
        await assert.rejects(engine.send(id, 'word', 1), /no-such-workflow|is not known/)
      })

      it('tells the time and waits for it', async () => {
        const end = await play(async (run) => {
          const before = await run.now()
          await run.sleepUntil(before + 30)
          await run.sleepUntil(before - 30)
          return (await run.now()) - before
        })

        assert.ok(end.status === 'done' && typeof end.value === 'number' && end.value >= 30, JSON.stringify(end))
      })

      it('has every patch in a new run', async () => {
        const end = await play(async (run) => [await run.patch('scan'), await run.patch('other')])

        assert.deepEqual(end, { status: 'done', value: [true, true] })
      })

      it('gives the same fence until somebody is given up for dead', async () => {
        const end = await play(async (run) => {
          const one = await run.step('one', () => engine.fence())
          return one > 0 && one === (await run.step('two', () => engine.fence()))
        })

        assert.deepEqual(end, { status: 'done', value: true })
      })
    })
  })
}

const PROBLEM = {
  code: 'test/no',
  severity: 'error',
  where: { at: 'here' },
  what: 'not today',
  hint: 'Tomorrow?',
} as const

async function refuse(): Promise<never> {
  throw refusal(PROBLEM.code, PROBLEM.where, PROBLEM.what, PROBLEM.hint)
}

import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { Engine, Settled } from '../engine.ts'
import { countdown } from '../faults.ts'
import { never } from '../silence.ts'
import { settled } from '../stage.ts'
import { type MemoryEngine, memoryEngine, type MemoryEngineOptions } from './memory-engine.ts'

/** Every point of the story below, in the order in which it reaches them. */
const POINTS = ['plan', 'a.build', 'a.ship', 'b.build', 'b.ship', 'switch'].flatMap((step) => {
  const name = step.includes('.') ? step : `story.${step}`
  return [`${name}:before`, `${name}:after`]
})

describe('memory engine, crashing', () => {
  const engines: Engine[] = []
  afterEach(() => Promise.all(engines.splice(0).map((engine) => engine.shutdown())))

  function open(options: MemoryEngineOptions = {}): MemoryEngine {
    const engine = memoryEngine(options)
    engines.push(engine)
    return engine
  }

  it('passes the points in this order', async () => {
    const points: string[] = []
    const engine = open({ faults: { reach: async (point) => void points.push(point) } })

    await tell(engine)

    assert.deepEqual(points, POINTS)
  })

  for (const point of POINTS) {
    it(`ends alike after a crash at ${point}, and begins only that step twice`, async () => {
      const isReached = countdown(point)
      const engine = open({
        faults: {
          reach(at) {
            if (!isReached(at)) return Promise.resolve()
            engine.crashAndResume()
            return never()
          },
        },
      })

      const { end, done } = await tell(engine)

      const expected = await tell(open())
      assert.deepEqual(end, expected.end)
      const again = point.endsWith(':after') ? [point.replace(':after', '')] : []
      assert.deepEqual(repeated(done), again)
      assert.deepEqual(new Set(done), new Set(expected.done))
    })
  }

  it('gives no fence to what a dead process has left behind, and a higher one to its successor', async () => {
    const held = Promise.withResolvers<void>()
    const fences: unknown[] = []
    const engine = open()
    const workflow = engine.define('late', (run) =>
      run.step('act', async () => {
        fences.push(await engine.fence())
        if (fences.length === 1) {
          await held.promise
          fences.push(await engine.fence().catch(() => 'refused'))
        }
      }),
    )
    await engine.launch()
    await engine.start(workflow, 'w', null)
    await turn()

    engine.crashAndResume()
    held.resolve()
    await settled(engine, 'w')
    await turn()

    assert.deepEqual(fences, [1, 2, 'refused'])
  })

  it('gives up a step that brings its process down each time', async () => {
    const engine = open({
      faults: {
        reach(at) {
          if (at !== 'poison.drink:before') return Promise.resolve()
          engine.crashAndResume()
          return never()
        },
      },
    })
    const workflow = engine.define('poison', (run) => run.step('drink', async () => 'fine'), { maxRecoveryAttempts: 4 })
    await engine.launch()
    await engine.start(workflow, 'w', null)

    const end = await settled(engine, 'w')

    assert.ok(end.status === 'failed' && end.error.poison === true)
    assert.match(end.error.message, /died in it 5 times/)
  })

  it('keeps messages over a crash, and delivers one once', async () => {
    const engine = open()
    const workflow = engine.define('listener', async (run) => [
      await run.receive('word', 60_000),
      await run.step('use', async () => 'used'),
      await run.receive('word', 10),
    ])
    await engine.launch()
    await engine.start(workflow, 'w', null)
    await turn()

    engine.crashAndResume()
    await engine.send('w', 'word', 'hello')
    engine.crashAndResume()

    assert.deepEqual(await settled(engine, 'w'), { status: 'done', value: ['hello', 'used', null] })
  })

  it('takes time from the clock it is given', async () => {
    let now = 1000
    const engine = open({ clock: { now: () => now, sleep: async (ms) => void (now += ms) } })
    const workflow = engine.define('sleeper', async (run) => {
      await run.sleepUntil((await run.now()) + 3_600_000)
      return run.now()
    })
    await engine.launch()
    await engine.start(workflow, 'w', null)

    assert.deepEqual(await settled(engine, 'w'), { status: 'done', value: 3_601_000 })
  })
})

/** A small release. Hands back its end and the steps whose bodies ran to their end. */
async function tell(engine: Engine): Promise<{ end: Settled<unknown>; done: string[] }> {
  const done: string[] = []
  const node = engine.define('node', async (run, input: string) => {
    for (const step of ['build', 'ship']) await run.step(step, async () => done.push(`${input}.${step}`))
    return input
  })
  const story = engine.define('story', async (run) => {
    await run.step('plan', async () => done.push('story.plan'))
    const nodes = [
      { key: 'a', needs: [], input: 'a' },
      { key: 'b', needs: ['a'], input: 'b' },
    ]
    const ends = await run.graph(node, nodes)
    await run.step('switch', async () => done.push('story.switch'))
    return [...ends.values()]
  })
  await engine.launch()
  await engine.start(story, 'w', null)
  const end = await settled(engine, 'w')
  return { end, done }
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index)
}

/** Lets everything happen that can happen without time passing. */
async function turn(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve()
}

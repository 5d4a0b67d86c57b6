import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answers, carryOut, jobsAtOnce, liveSet, storyBench } from './bench.ts'

/**
 * Promise 5: kill -9 at every step of the story, then start again. The end is wholly old or wholly new, the singleton
 * ran once at most, and what is not a singleton lost no request. What is live is read from the hosts.
 */
const POINTS = [
  'release.begin:before',
  'story.source:before',
  'story.source:after',
  'build:*.artifact:before',
  'build:*.artifact:after',
  'story.plan:before',
  'story.plan:after',
  'story.gate:before',
  'story.gate:after',
  'stage:*.lay:before',
  'stage:*.lay:after',
  'start:*.ready:before',
  'start:*.ready:after',
  'story.switch:before',
  'swap:held',
  'swap:stopped',
  'switch:exchanged',
  'switch:renamed',
  'story.switch:after',
  'story.verify:before',
  'story.verify:after',
  'keep:alone',
  'story.keep:after',
  'release.after:before',
]

describe('kill -9 of Drover', { concurrency: false }, () => {
  it('at every step: the release finishes by itself', { timeout: 900_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '300ms', warm: '10m' })
    const first = await bench.open()
    const { release } = await carryOut(first, bench.deploy)
    await first.close()
    assert.equal(release.outcome, 'kept')

    let version = 1
    for (const point of POINTS) {
      version++
      await t.test(point, async () => {
        await bench.fleet.commit({
          shop: { version: String(version) },
          config: { version: String(version) },
          jobs: { version: String(version) },
        })
        const traffic = bench.trickle()

        const killed = await bench.child({ dieAt: point }).ended()
        const resumed = await bench.child({ order: 'resume' }).ended()

        const { sent, failed } = await traffic.stop()
        assert.equal(killed, undefined, `the process was to die at ${point} and did not reach it`)
        assert.equal(resumed?.outcome, 'kept')
        const now = await answers(bench.fleet)
        assert.deepEqual(
          [now['shop']!.version, now['config']!.version, now['jobs']!.version],
          Array(3).fill(String(version)),
          'a mixed set is live',
        )
        assert.equal(await liveSet(bench.home), `r${resumed.number}`)
        assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
        assert.ok(sent > 0)
        assert.deepEqual(
          failed.filter((failure) => !failure.startsWith('jobs')),
          [],
          'requests were lost',
        )
      })
    }
  })

  it('at every step of an undo: the old set is live again', { timeout: 600_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '2s', warm: '10m' })
    const first = await bench.open()
    await carryOut(first, bench.deploy)
    await first.close()

    for (const point of [
      'release.cause:before',
      'undo.undo:before',
      'swap:held#2',
      'swap:stopped#2',
      'undo:back',
      'undo.undo:after',
    ]) {
      await t.test(point, async () => {
        await bench.fleet.commit({ shop: { version: 'bad', failAfter: 5 }, jobs: { version: `bad ${point}` } })
        const traffic = bench.trickle()

        const killed = await bench.child({ dieAt: point }).ended()
        const resumed = await bench.child({ order: 'resume' }).ended()

        const { failed } = await traffic.stop()
        assert.equal(killed, undefined, `the process was to die at ${point} and did not reach it`)
        assert.equal(resumed?.outcome, 'restored')
        const now = await answers(bench.fleet)
        assert.deepEqual([now['shop']!.version, now['jobs']!.version], ['1', '1'])
        assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
        assert.deepEqual(
          failed.filter((failure) => !failure.startsWith('jobs')),
          [],
          'requests were lost',
        )
      })
    }
  })
})

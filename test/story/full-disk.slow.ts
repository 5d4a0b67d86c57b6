import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FaultPoints } from '../../src/journal/faults.ts'
import { answers, carryOut, liveSetIn, storyBench } from './bench.ts'
import { NO_SMALL_DISK, smallDisk } from './small-disk.ts'

describe('a full disk', { concurrency: false, skip: NO_SMALL_DISK }, () => {
  it('is refused with numbers at the gate, and met afterwards', { timeout: 240_000 }, async (t) => {
    const disk = await smallDisk()
    const bench = await storyBench(t, { watch: '300ms', root: disk.folder })
    disk.mount(t, 150)
    let fullFrom: string | undefined
    let full = false
    const faults: FaultPoints = {
      // Time and again: what commands take away when they end leaves room.
      reach: async (point) => {
        full ||= point === fullFrom
        if (full) await disk.fill()
      },
    }
    const control = await bench.open({ faults })

    const refused = await carryOut(control, bench.deploy)
    disk.resize(1000)
    const first = await carryOut(control, bench.deploy)

    assert.equal(refused.release.outcome, 'refused')
    assert.equal(refused.release.problems[0]?.code, 'release/disk')
    assert.match(
      refused.release.problems[0].what,
      /has 150 MB free, the release needs up to 1 MB and 200 MB in reserve/,
    )
    assert.equal(first.release.outcome, 'kept')
    const traffic = bench.trickle()
    let version = 1

    for (const point of ['story.gate:after', 'stage:local.lay:after', 'start:local:config.ready:after']) {
      await t.test(`that is full from ${point} on`, async () => {
        version++
        const before = await answers(bench.fleet)
        const live = await liveSetIn(disk.folder)
        const next = { version: String(version) }
        await bench.fleet.commit({ config: next, gateway: next, shop: next, jobs: next })

        fullFrom = point
        const failed = await carryOut(control, bench.deploy)
        const meanwhile = await answers(bench.fleet)
        const liveMeanwhile = await liveSetIn(disk.folder)
        assert.ok(full, `the release did not reach ${point}`)
        fullFrom = undefined
        full = false
        disk.resize(1000)
        const again = await carryOut(control, bench.deploy)

        assert.deepEqual([failed.release.outcome, failed.release.problems[0]?.code], ['restored', 'hosts/disk-full'])
        const left = failed.release.problems.slice(1)
        assert.ok(
          left.every(({ severity }) => severity === 'warning'),
          'what could not be tidied up is no failure',
        )
        assert.deepEqual(meanwhile, before)
        assert.equal(liveMeanwhile, live)
        assert.equal(again.release.outcome, 'kept')
        assert.deepEqual(
          Object.values(await answers(bench.fleet)).map((service) => service.version),
          Array(4).fill(String(version)),
        )
      })
    }

    assert.deepEqual((await traffic.stop()).failed, [])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { answers, carryOut, storyBench } from './bench.ts'

const WARM_MS = 8_000

describe('the set before', () => {
  it('is warm for its whole time, though the time of a release before ends in it', { timeout: 120_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '1500ms', warm: `${WARM_MS}ms` })
    const control = await bench.open()
    const first = await carryOut(control, bench.deploy)
    const before = await answers(bench.fleet)
    await bench.fleet.commit({ shop: { version: '2' } })
    const second = await carryOut(control, bench.deploy)
    // Past the sweep of the first release and before that of the second.
    const between = (first.release.endedAt! + second.release.endedAt!) / 2 + WARM_MS
    await delay(Math.max(0, between - Date.now()))

    const back = await carryOut(control, { goal: 'rollback' })

    assert.deepEqual(
      [first, second, back].map(({ release }) => release.outcome),
      ['kept', 'kept', 'kept'],
    )
    assert.equal((await answers(bench.fleet))['shop']?.pid, before['shop']?.pid)
  })
})

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { answers, carryOut, storyBench } from './bench.ts'

describe('a control plane on its own', () => {
  it('tidies quiet hosts and its store without touching what is live', { timeout: 120_000 }, async (t) => {
    const logged: string[] = []
    const bench = await storyBench(t, { watch: '200ms', warm: '10m' })
    const control = await bench.open({ log: (line) => logged.push(line) })
    await carryOut(control, bench.deploy)
    await bench.fleet.commit({ shop: { version: '2' } })
    await carryOut(control, bench.deploy)
    const before = await answers(bench.fleet)
    const sets = join(bench.home, 'hosts/small/test/router/sets')
    const store = await readdir(join(bench.home, 'store/artifacts/shop'))

    await control.upkeep()
    await control.upkeep()

    for (let tries = 0; tries < 100 && (await readdir(sets)).length > 1; tries++) await delay(50)
    assert.equal((await readdir(sets)).length, 1)
    assert.deepEqual(await readdir(join(bench.home, 'store/artifacts/shop')), store)
    assert.deepEqual(await answers(bench.fleet), before)
    assert.deepEqual(
      logged.filter((line) => line.startsWith('upkeep')),
      [],
    )
    const back = await carryOut(control, { goal: 'rollback' })
    assert.equal(back.release.outcome, 'kept')
  })
})

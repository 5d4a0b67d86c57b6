import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { choosePlaces } from '../../src/journal/embedded/places.ts'
import { findPostmaster } from '../../src/journal/embedded/postmaster.ts'
import { answers, carryOut, jobsAtOnce, liveSet, storyBench } from './bench.ts'

/** Longer than a worker's lease, so that the only worker there is looks dead when the database is back. */
const AWAY_MS = 3500

describe('the database of the control plane is killed', { concurrency: false }, () => {
  it('in mid-release: the release ends by itself, and users notice nothing', { timeout: 240_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '1s', warm: '10m' })
    let waiting: string[] = []
    let outage: Promise<void> | undefined
    const control = await bench.open({
      faults: {
        reach: async (point) => {
          if (waiting[0] !== point) return
          waiting = waiting.slice(1)
          await outage
          const data = await killDatabase(bench.home)
          outage = delay(AWAY_MS).then(() => rename(`${data}.away`, data))
        },
      },
    })
    await carryOut(control, bench.deploy)
    const traffic = bench.trickle()
    let version = 1

    for (const points of [['start:local:shop.ready:after', 'swap:held'], ['switch:renamed']]) {
      await t.test(`at ${points.join(' and ')}`, async () => {
        version++
        const next = { version: String(version) }
        await bench.fleet.commit({ config: next, gateway: next, shop: next, jobs: next })
        waiting = points

        const { release } = await carryOut(control, bench.deploy)
        await outage

        assert.deepEqual(waiting, [], 'the release did not get there')
        assert.equal(release.outcome, 'kept')
        assert.deepEqual(
          Object.values(await answers(bench.fleet)).map((service) => service.version),
          Array(4).fill(String(version)),
        )
        assert.equal(await liveSet(bench.home), `r${release.number}`)
        assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
      })
    }

    const { sent, failed } = await traffic.stop()
    assert.ok(sent > 100)
    assert.deepEqual(failed, [])
  })
})

/** Kills the embedded server and keeps it from coming back: its data is put aside. Gives where that belongs. */
async function killDatabase(home: string): Promise<string> {
  const { data } = await choosePlaces(join(home, 'postgres'))
  const server = await findPostmaster(data)
  assert.ok(server !== undefined)
  process.kill(server.pid, 'SIGKILL')
  await rename(data, `${data}.away`)
  return data
}

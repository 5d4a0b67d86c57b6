import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OpenedControlPlane } from '../../src/drivers.ts'
import { answers, carryOut, ENVIRONMENT, storyBench } from './bench.ts'

const MEGABYTE = 1024 * 1024

describe('services that behave badly', { concurrency: false }, () => {
  it(
    'are released all the same where users do not suffer, and taken back where they would',
    { timeout: 180_000 },
    async (t) => {
      const bench = await storyBench(t, { watch: '1s', warm: '1s' })
      const control = await bench.open()
      await carryOut(control, bench.deploy)
      const traffic = bench.trickle()

      await t.test('slow ones: what they have begun is answered when they are replaced', async () => {
        await bench.fleet.commit({
          shop: { version: 'slow', answersAfterMs: 1000 },
          gateway: { version: 'slow', answersAfterMs: 300 },
        })
        const slow = await carryOut(control, bench.deploy)
        await bench.fleet.commit({
          shop: { version: 'deaf', ignoresSigterm: true },
          gateway: { version: '2' },
          jobs: { version: 'deaf', ignoresSigterm: true },
        })
        const quick = await carryOut(control, bench.deploy)

        assert.deepEqual([slow.release.outcome, quick.release.outcome], ['kept', 'kept'])
        assert.equal((await answers(bench.fleet))['gateway']!.version, '2')
      })

      await t.test('ones that ignore SIGTERM: killed after their drain time, and the release goes on', async () => {
        const deaf = await answers(bench.fleet)
        await bench.fleet.commit({ shop: { version: 'loud', printsMegabytes: 8 }, jobs: { version: '3' } })

        const { release } = await carryOut(control, bench.deploy)

        assert.deepEqual([deaf['shop']!.version, deaf['jobs']!.version], ['deaf', 'deaf'])
        assert.equal(release.outcome, 'kept')
        assert.equal(isAlive(deaf['jobs']!.pid), false, 'two singletons at once')
        const now = await answers(bench.fleet)
        assert.deepEqual([now['shop']!.version, now['jobs']!.version], ['loud', '3'])
        // The shop's old slot stays warm for a second; then it is told to stop, and after its drain time killed.
        await until(() => !isAlive(deaf['shop']!.pid), 'the deaf shop to be killed')
      })

      await t.test('ones that print megabytes, and start or do not: what is shown of it is bounded', async () => {
        const lines = await lastLines(control, 50)
        await bench.fleet.commit({ shop: { version: 'lost', printsMegabytes: 8, start: 'exit' } })
        const { release, events } = await carryOut(control, bench.deploy)

        assert.ok(lines.includes('x'.repeat(1023)), 'it printed nothing')
        assert.ok(lines.length <= 50)
        assert.equal(release.outcome, 'restored')
        assert.equal(release.problems[0]?.code, 'runtimes/exited')
        assert.ok(JSON.stringify(events).length < MEGABYTE)
        assert.equal((await answers(bench.fleet))['shop']!.version, 'loud')
      })

      await t.test('one that answers 500 from its first request on: it was live, and is taken back', async () => {
        await bench.fleet.commit({ shop: { version: '500', failAfter: 0 }, gateway: { version: '4' } })

        const { release } = await carryOut(control, bench.deploy)

        assert.equal(release.outcome, 'restored')
        assert.deepEqual(
          release.problems.map(({ code, where }) => [code, where.at]),
          [['release/worse-than-before', 'service shop']],
        )
        assert.ok(release.switchedAt !== undefined)
        const now = await answers(bench.fleet)
        assert.deepEqual([now['shop']!.version, now['gateway']!.version], ['loud', '2'])
      })

      const { sent, failed } = await traffic.stop()
      assert.ok(sent > 100)
      assert.deepEqual(
        failed.filter((failure) => !failure.startsWith('jobs')),
        [],
      )
    },
  )
})

async function lastLines({ controlPlane }: OpenedControlPlane, lines: number): Promise<string[]> {
  const signal = AbortSignal.timeout(10_000)
  const shown: string[] = []
  for await (const said of controlPlane.logs(ENVIRONMENT, { services: ['shop'], lines, follow: false, signal })) {
    if ('line' in said) shown.push(said.line)
  }
  return shown
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 400, `waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startTraffic } from '../../demo/traffic.ts'
import { answers, carryOut, jobsAtOnce, storyBench } from './bench.ts'

const REQUESTS_PER_SECOND = 500

describe('R15: under load', { concurrency: false }, () => {
  it('all services are released again and again, and back, and no request fails', { timeout: 180_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '1s', warm: '1s' })
    const control = await bench.open()
    await carryOut(control, bench.deploy)
    const traffic = startTraffic({
      targets: bench.fleet.services.map((service) => ({
        service,
        host: '127.0.0.1',
        port: bench.fleet.ports[service]!,
        kinds: [
          { weight: 6, method: 'GET', path: () => '/' },
          { weight: 1, method: 'GET', path: () => '/slow' },
          { weight: 3, method: 'POST', path: () => '/', body: () => JSON.stringify({ order: 1 }) },
        ],
      })),
      requestsPerSecond: REQUESTS_PER_SECOND,
      seed: 15,
    })
    t.after(() => traffic.stop())

    const outcomes: (string | undefined)[] = []
    for (const version of ['2', '3']) {
      await bench.fleet.commit(Object.fromEntries(bench.fleet.services.map((service) => [service, { version }])))
      outcomes.push((await carryOut(control, bench.deploy)).release.outcome)
    }
    outcomes.push((await carryOut(control, { goal: 'rollback' })).release.outcome)
    await traffic.stop()

    const { sent, failed, reasons, firstFailures, services } = traffic.report()
    const slowest = Object.entries(services).map(([service, { p99Ms }]) => `${service} ${Math.round(p99Ms)} ms`)
    t.diagnostic(`${sent} requests, 99 % answered within: ${slowest.join(', ')}`)
    assert.deepEqual(outcomes, ['kept', 'kept', 'kept'])
    assert.deepEqual(
      Object.values(await answers(bench.fleet)).map(({ version }) => version),
      ['2', '2', '2', '2'],
    )
    assert.equal(failed, 0, JSON.stringify({ reasons, firstFailures }))
    assert.ok(sent > 1000)
    assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
  })
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { breakGlassOn } from '../../src/drivers.ts'
import { LOCAL_HOST } from '../../src/manifest/fleet.ts'
import { answers, carryOut, ENVIRONMENT, jobsAtOnce, optionsFor, storyBench } from './bench.ts'

test('R30: a host goes back while control plane and database are gone', { timeout: 300_000 }, async (t) => {
  const bench = await storyBench(t, { watch: '0s' })
  const before = await bench.open()
  await carryOut(before, bench.deploy)
  await bench.fleet.commit({ shop: { version: '2' }, jobs: { version: '2' } })
  await carryOut(before, bench.deploy)
  await before.close()
  const traffic = bench.trickle()
  const said: string[] = []

  const report = await breakGlassOn({
    ...optionsFor(bench.home),
    host: LOCAL_HOST,
    environment: ENVIRONMENT.environment,
    root: join(bench.home, 'hosts/small/test'),
    signal: AbortSignal.timeout(60_000),
    say: (line) => void said.push(line),
  })

  const back = await answers(bench.fleet)
  const { failed } = await traffic.stop()
  assert.deepEqual([report.from, report.to], [2, 1])
  assert.deepEqual([back['shop']?.version, back['jobs']?.version, back['config']?.version], ['1', '1', '1'])
  // The singleton is away for a moment, and nobody holds its requests.
  assert.deepEqual(
    failed.filter((failure) => !failure.startsWith('jobs: ')),
    [],
  )
  assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })

  const after = await bench.open()
  const { services } = await after.controlPlane.status(ENVIRONMENT)
  const { release } = await carryOut(after, bench.deploy)
  const forth = await answers(bench.fleet)

  assert.deepEqual(
    services.filter(({ differs }) => differs).map(({ service }) => service),
    ['jobs', 'shop'],
  )
  assert.equal(release.outcome, 'kept')
  assert.deepEqual([forth['shop']?.version, forth['jobs']?.version], ['2', '2'])
})

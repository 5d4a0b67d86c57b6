import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Release, ReleaseEvent } from '../../src/release/records.ts'
import { answers, carryOut, ENVIRONMENT, follow, jobsAtOnce, storyBench } from './bench.ts'

describe('the story of a release', { concurrency: false }, () => {
  it('first, changed, unchanged, back, and back for one service', { timeout: 180_000 }, async (t) => {
    const bench = await storyBench(t)
    const control = await bench.open()

    const first = await carryOut(control, bench.deploy)
    assert.equal(first.release.outcome, 'kept')
    assert.deepEqual(startOrder(first.events), ['config', 'gateway', 'shop', 'jobs'])
    const before = await answers(bench.fleet)

    const unchanged = await carryOut(control, bench.deploy)
    assert.equal(unchanged.release.outcome, 'unchanged')
    assert.deepEqual(await answers(bench.fleet), before, 'a process was touched')

    const traffic = bench.trickle()
    await bench.fleet.commit({ shop: { version: '2' } })
    const changed = await carryOut(control, bench.deploy)
    assert.equal(changed.release.outcome, 'kept')
    assert.deepEqual(versions(await answers(bench.fleet)), { config: '1', gateway: '1', jobs: '1', shop: '2' })
    assert.equal((await answers(bench.fleet))['config']!.pid, before['config']!.pid)
    assert.deepEqual(startOrder(changed.events), ['shop'])

    await bench.fleet.commit({
      shop: { version: '3' },
      config: { version: '3' },
      gateway: { version: '3' },
      jobs: { version: '3' },
    })
    await carryOut(control, bench.deploy)
    const all = await answers(bench.fleet)
    assert.deepEqual(versions(all), { config: '3', gateway: '3', jobs: '3', shop: '3' })
    assert.equal(all['gateway']!.seenConfig, '3', 'the new gateway read the flags of the old config at its start')

    const back = await carryOut(control, { goal: 'rollback' })
    assert.equal(back.release.outcome, 'kept')
    assert.deepEqual(versions(await answers(bench.fleet)), { config: '1', gateway: '1', jobs: '1', shop: '2' })

    const one = await carryOut(control, { goal: 'rollback', to: 1, service: 'shop' })
    assert.equal(one.release.outcome, 'kept')
    assert.deepEqual(versions(await answers(bench.fleet)), { config: '1', gateway: '1', jobs: '1', shop: '1' })
    const status = await control.controlPlane.status(ENVIRONMENT)
    assert.deepEqual(
      status.services.map(({ service, state }) => [service, state]),
      bench.fleet.services.map((service) => [service, 'ready']),
    )
    assert.deepEqual(status.services.find(({ service }) => service === 'shop')?.deviation, { release: 1 })

    const { sent, failed } = await traffic.stop()
    assert.ok(sent > 100)
    assert.deepEqual(failed, [])
    assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
  })

  it(
    'switches back by itself when the new version fails under traffic, and no request fails',
    { timeout: 120_000 },
    async (t) => {
      const bench = await storyBench(t, { watch: '8s' })
      const control = await bench.open()
      await carryOut(control, bench.deploy)
      const traffic = bench.trickle()

      await bench.fleet.commit({ shop: { version: '2', failAfter: 3 }, jobs: { version: '2' } })
      const { release } = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'restored')
      assert.equal(release.problems[0]?.code, 'release/worse-than-before')
      assert.match(release.problems[0]?.where.at ?? '', /shop/)
      assert.ok(release.switchedAt !== undefined, 'it was to be live before it failed')
      assert.ok((release.traffic?.rescued ?? 0) > 0)
      assert.deepEqual((await traffic.stop()).failed, [])
      assert.deepEqual(versions(await answers(bench.fleet)), { config: '1', gateway: '1', jobs: '1', shop: '1' })
      assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
    },
  )

  it('R07: a cancelled release starts nothing more and goes back', { timeout: 120_000 }, async (t) => {
    const bench = await storyBench(t)
    const control = await bench.open()
    await carryOut(control, bench.deploy)
    await bench.fleet.commit({
      config: { version: '2', start: 'never' },
      gateway: { version: '2' },
      shop: { version: '2' },
    })
    const { controlPlane } = control
    const release = await controlPlane.request(ENVIRONMENT, { order: bench.deploy, actor: 'test' })

    const events: ReleaseEvent[] = []
    for await (const event of controlPlane.events(release, { signal: AbortSignal.timeout(60_000) })) {
      events.push(event)
      if (event.body.kind === 'service' && event.body.state === 'starting') await controlPlane.cancel(release, 'test')
    }

    assert.equal((await controlPlane.release(release)).outcome, 'cancelled')
    assert.deepEqual(startOrder(events), ['config'])
    assert.deepEqual(versions(await answers(bench.fleet)), { config: '1', gateway: '1', jobs: '1', shop: '1' })
    await assert.rejects(controlPlane.cancel(release, 'test'), /has ended already/)
  })

  it(
    'two releases of one environment never interleave: the second waits and says for whom',
    { timeout: 120_000 },
    async (t) => {
      const bench = await storyBench(t, { watch: '300ms' })
      const control = await bench.open()
      const { controlPlane } = control
      const request = (): Promise<Release> => controlPlane.request(ENVIRONMENT, { order: bench.deploy, actor: 'test' })

      const [one, two] = [await request(), await request()]
      const status = await controlPlane.status(ENVIRONMENT)
      const waiting = await controlPlane.release(two)
      const [first, second] = await Promise.all([follow(control, one), follow(control, two)])

      assert.equal(status.active?.number, one.number)
      assert.deepEqual([waiting.phase, waiting.startedAt], ['queued', undefined])
      assert.deepEqual([first.release.outcome, second.release.outcome], ['kept', 'unchanged'])
      const [said, ...rest] = second.events
      assert.ok(said?.body.kind === 'waiting' && said.body.for === one.number && said.body.actor === 'test')
      assert.ok(rest[0]!.id > first.events.at(-1)!.id, 'they interleave')
    },
  )

  it('refuses, with every reason, before anything is touched', { timeout: 120_000 }, async (t) => {
    const bench = await storyBench(t)
    const control = await bench.open()
    const refused = async (order: Parameters<typeof carryOut>[1]): Promise<Release> => {
      const { release } = await carryOut(control, order)
      assert.equal(release.outcome, 'refused')
      return release
    }

    assert.match(
      (await refused({ ...bench.deploy, ref: 'mian' } as typeof bench.deploy)).problems[0]!.hint ?? '',
      /main/,
    )
    assert.equal(
      (await refused({ ...bench.deploy, ref: '-x; touch $(pwd)/hacked' } as typeof bench.deploy)).problems.length > 0,
      true,
    )
    assert.equal((await refused({ goal: 'rollback' })).problems[0]!.code, 'release/nothing-live')
    await assert.rejects(
      carryOut(control, { ...bench.deploy, repository: '/nowhere/at/all' } as typeof bench.deploy),
      /belongs to the repository|nowhere/,
    )
  })
})

function startOrder(events: readonly ReleaseEvent[]): string[] {
  return events.flatMap(({ body }) => (body.kind === 'service' && body.state === 'starting' ? [body.service] : []))
}

function versions(all: Awaited<ReturnType<typeof answers>>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).map(([service, { version }]) => [service, version]))
}

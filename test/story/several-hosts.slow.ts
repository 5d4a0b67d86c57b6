import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import { whatIsMissing } from '../../lab/needs.ts'
import { makeReady } from '../../lab/ready-host.ts'
import { formatProblem } from '../../src/problem/problem.ts'
import type { Order, Release } from '../../src/release/records.ts'
import { carryOut, ENVIRONMENT, follow } from './bench.ts'
import { hostsBench } from './hosts-bench.ts'
import type { HostsBench } from './hosts-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false
const placed = { gateway: 'on: [h2]', shop: 'on: [h2, h3]', jobs: 'on: [h1]' }

describe('one of several hosts', { skip, concurrency: false }, () => {
  let lab: Lab
  before(async () => {
    lab = await openLab({ hosts: 3 })
    await Promise.all(lab.hosts.map(makeReady))
  })
  after(() => lab?.close())

  it('is away, left out, and serves nobody when it is back (R12, R13)', { timeout: 600_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts, placed })
    const [, , h3] = lab.hosts
    t.after(() => h3!.networkHeal())
    await released(bench, bench.deploy)
    await h3!.networkCut()
    await bench.fleet.commit({ shop: { version: '2' } })

    const refused = await carryOut(bench.control, bench.deploy)
    const kept = await released(bench, { ...bench.deploy, without: ['h3'] } as Order)
    await h3!.networkHeal()
    const served = await versions(bench, 'h1', 40)
    const marks = await behind(bench)
    const healed = await carryOut(bench.control, { goal: 'heal', host: 'h3' })

    assert.equal(refused.release.outcome, 'refused')
    assert.match(endingOf(refused.release), /host h3: does not say what runs there[^]*--without h3/)
    assert.deepEqual(kept.without, ['h3'])
    assert.deepEqual(served, ['2'])
    assert.deepEqual(marks, ['h3'])
    // Drover itself may have been faster.
    assert.match(healed.release.outcome ?? '', /^(kept|unchanged)$/, endingOf(healed.release))
    assert.deepEqual(await behind(bench), [])
    assert.deepEqual(await versions(bench, 'h3', 1), ['2'])
  })

  it('loses its power after the switch, and all go back', { timeout: 600_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts, placed, watch: '20s' })
    const [, h2] = lab.hosts
    await released(bench, bench.deploy)
    await bench.fleet.commit({ shop: { version: '2' }, gateway: { version: '2' }, jobs: { version: '2' } })

    const asked = await bench.control.controlPlane.request(ENVIRONMENT, { order: bench.deploy, actor: 'test' })
    for await (const { body } of bench.control.controlPlane.events(asked, { signal: AbortSignal.timeout(120_000) }))
      if (body.kind === 'watch') break
    await h2!.powerCut()
    const { release } = await follow(bench.control, asked)
    const meanwhile = await versions(bench, 'h1', 20)
    await h2!.powerOn()
    const lost = await behind(bench)
    await bench.control.upkeep()
    const [heal] = await bench.control.controlPlane.releases(ENVIRONMENT, { limit: 1 })
    await follow(bench.control, heal!)

    assert.equal(release.outcome, 'restored', endingOf(release))
    assert.match(endingOf(release), /host h2: warning: cannot be reached any more, and may have switched/)
    assert.deepEqual(meanwhile, ['1'])
    assert.deepEqual(lost, ['h2'])
    assert.deepEqual([heal?.goal, heal?.host, heal?.actor], ['heal', 'h2', 'drover'])
    assert.deepEqual(await behind(bench), [])
    for (const host of ['h1', 'h2', 'h3']) assert.deepEqual(await versions(bench, host, 5), ['1'])
    assert.equal((await bench.ask('h2', 'jobs')).version, '1')
  })
})

async function released(bench: HostsBench, order: Order): Promise<Release> {
  const { release } = await carryOut(bench.control, order)
  assert.equal(release.outcome, 'kept', endingOf(release))
  return release
}

/** The versions of the shop that clients on a host get, each once. */
async function versions(bench: HostsBench, host: string, asked: number): Promise<string[]> {
  const found = new Set<string>()
  for (let times = 0; times < asked; times++) {
    const { status, version } = await bench.ask(host, 'shop')
    found.add(version ?? String(status))
  }
  return [...found]
}

async function behind({ control }: HostsBench): Promise<string[]> {
  const { hosts } = await control.controlPlane.status(ENVIRONMENT)
  return hosts.filter((host) => host.behind !== undefined).map(({ host }) => host)
}

function endingOf({ outcome, problems }: Release): string {
  return [outcome, ...problems.map(formatProblem)].join('\n')
}

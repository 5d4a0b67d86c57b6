import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import { whatIsMissing } from '../../lab/needs.ts'
import { makeReady } from '../../lab/ready-host.ts'
import { formatProblem } from '../../src/problem/problem.ts'
import type { Release } from '../../src/release/records.ts'
import { carryOut, ENVIRONMENT } from './bench.ts'
import { hostsBench } from './hosts-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

describe('a fleet on hosts over SSH, with systemd', { skip, concurrency: false }, () => {
  let lab: Lab
  before(async () => {
    lab = await openLab({ hosts: 3 })
    await Promise.all(lab.hosts.map(makeReady))
  })
  after(() => lab?.close())

  it('is released on one, changed and rolled back', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts.slice(0, 1) })

    const first = await carryOut(bench.control, bench.deploy)
    const before = await bench.ask('h1', 'shop')
    await bench.fleet.commit({ shop: { version: '2' } })
    const second = await carryOut(bench.control, bench.deploy)
    const changed = await bench.ask('h1', 'shop')
    const back = await carryOut(bench.control, { goal: 'rollback' })
    const after = await bench.ask('h1', 'shop')

    assert.deepEqual(
      [first, second, back].map(({ release }) => ending(release)),
      ['kept', 'kept', 'kept'],
    )
    assert.deepEqual([before.version, changed.version, after.version], ['1', '2', '1'])
    assert.equal(after.pid, before.pid, 'the old slot was still warm')
    assert.match(await bench.shell('h1', 'systemctl is-active small-test-shop@a.service'), /^active$/m)
    const { services, hosts } = await bench.control.controlPlane.status(ENVIRONMENT)
    assert.deepEqual(hosts, [{ host: 'h1', reachable: true, router: 'running', release: 3, drift: [] }])
    assert.deepEqual(
      services.map(({ service, host, state }) => `${service} on ${host}: ${state}`),
      ['config on h1: ready', 'gateway on h1: ready', 'jobs on h1: ready', 'shop on h1: ready'],
    )
  })

  it('runs where it is placed, is reached from every host, and moves to others', { timeout: 300_000 }, async (t) => {
    const placed = { gateway: 'on: [h2]', shop: 'on: [h2, h3]', jobs: 'on: [h3]' }
    const bench = await hostsBench(t, { machines: lab.hosts, placed })
    const versions = async (service: string) =>
      Promise.all(lab.hosts.map(async ({ name }) => (await bench.ask(name, service)).version))

    const first = await carryOut(bench.control, bench.deploy)
    const before = await versions('shop')
    await bench.fleet.commit({ shop: { version: '2' }, jobs: { version: '2' } })
    const second = await carryOut(bench.control, bench.deploy)
    const changed = [await versions('shop'), await versions('jobs')]
    await bench.fleet.rewrite((manifest) =>
      manifest.replace('on: [h2, h3]', 'on: [h1]').replace('on: [h3]', 'on: [h2]'),
    )
    await bench.fleet.commit({ shop: { version: '3' } })
    const third = await carryOut(bench.control, bench.deploy)
    const moved = [await versions('shop'), await versions('jobs')]

    assert.deepEqual(
      [first, second, third].map(({ release }) => ending(release)),
      ['kept', 'kept', 'kept'],
    )
    assert.deepEqual(before, ['1', '1', '1'])
    assert.deepEqual(changed, [
      ['2', '2', '2'],
      ['2', '2', '2'],
    ])
    assert.deepEqual(moved, [
      ['3', '3', '3'],
      ['2', '2', '2'],
    ])
    const { services } = await bench.control.controlPlane.status(ENVIRONMENT)
    assert.deepEqual(services.map(({ service, host, state }) => `${service} on ${host}: ${state}`).toSorted(), [
      'config on h1: ready',
      'config on h2: ready',
      'config on h3: ready',
      'gateway on h2: ready',
      'jobs on h2: ready',
      'shop on h1: ready',
    ])
  })

  it('is followed over a release, and over a cut of the line to one of two', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts.slice(0, 2) })
    await carryOut(bench.control, bench.deploy)
    const stop = new AbortController()
    t.after(() => stop.abort())
    const options = { services: ['shop'], lines: 1, follow: true, signal: stop.signal }
    const told: string[] = []
    const following = (async () => {
      for await (const said of bench.control.controlPlane.logs(ENVIRONMENT, options)) {
        told.push('notice' in said ? `${said.host}: ${said.notice}` : `${said.host} ${said.slot}: ${said.line}`)
      }
    })()
    const hears = async (...patterns: readonly RegExp[]): Promise<void> => {
      const until = performance.now() + 60_000
      while (!patterns.every((pattern) => told.some((line) => pattern.test(line)))) {
        assert.ok(performance.now() < until, `${patterns.join(' and ')} in ${told.join('\n')}`)
        await delay(50)
      }
      told.length = 0
    }
    await hears(/^h1 a: listening/, /^h2 a: listening/)

    await bench.fleet.commit({ shop: { version: '2' } })
    await carryOut(bench.control, bench.deploy)
    await hears(/^h1 b: listening/, /^h2 b: listening/)
    await lab.hosts[1]!.networkCut()
    await hears(/^h2: cannot be followed now/)
    await lab.hosts[1]!.networkHeal()
    await hears(/^h2: is there again/)
    await bench.fleet.commit({ shop: { version: '3' } })
    await carryOut(bench.control, bench.deploy)
    await hears(/^h1 a: listening/, /^h2 a: listening/)

    stop.abort()
    await following
  })

  it('grows from one host to three, and shrinks again', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts, placed: { jobs: 'on: [h1]' } })
    const all = /hosts: \[h1, h2, h3]/
    await bench.fleet.rewrite((manifest) => manifest.replace(all, 'hosts: [h1]'))
    await bench.fleet.commit({})
    const first = await carryOut(bench.control, bench.deploy)
    await bench.fleet.rewrite((manifest) => manifest.replace(/hosts: \[h1]/, 'hosts: [h1, h2, h3]'))
    await bench.fleet.commit({ shop: { version: '2' } })
    const grown = await carryOut(bench.control, bench.deploy)
    const versions = await Promise.all(lab.hosts.map(async ({ name }) => (await bench.ask(name, 'shop')).version))
    await bench.fleet.rewrite((manifest) => manifest.replace(all, 'hosts: [h1, h2]'))
    await bench.fleet.commit({ shop: { version: '3' } })
    const shrunk = await carryOut(bench.control, bench.deploy)

    assert.deepEqual(
      [first, grown, shrunk].map(({ release }) => ending(release)),
      ['kept', 'kept', 'kept'],
    )
    assert.deepEqual(versions, ['2', '2', '2'])
    const { services, hosts } = await bench.control.controlPlane.status(ENVIRONMENT)
    assert.deepEqual(
      hosts.map(({ host, release }) => [host, release]),
      [
        ['h1', 3],
        ['h2', 3],
      ],
    )
    assert.deepEqual(
      services.filter(({ service }) => service === 'shop').map(({ host, state }) => `${host}: ${state}`),
      ['h1: ready', 'h2: ready'],
    )
  })
})

function ending({ outcome, problems }: Release): string {
  return [outcome, ...problems.map(formatProblem)].join(' ')
}

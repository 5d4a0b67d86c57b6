import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SlotReport } from '../runtimes/runtime.ts'
import type { Repairs } from './drift.ts'
import { changesNothing, makePlan } from './plan.ts'
import type { HostState, Plan, WantedService } from './plan.ts'

const HOSTS = ['h1', 'h2']

function wanted(name: string, more: Partial<WantedService> = {}): WantedService {
  return {
    name,
    source: 's1',
    artifact: `${name}1`,
    config: 'c1',
    needs: [],
    swaps: false,
    hosts: new Set(HOSTS),
    reasons: [],
    ...more,
  }
}

const SERVICES = [wanted('api'), wanted('jobs', { swaps: true, hosts: new Set(['h2']) })]

function running(service: string): SlotReport {
  return { service, slot: 'a', state: 'running', artifact: `${service}1`, config: 'c1', restarts: 0 }
}

/** A fleet that runs what is wanted, with these repairs by host. */
function planWith(repairs: Readonly<Record<string, Partial<Repairs>>>, rolling = false): Plan {
  const hosts = HOSTS.map((host): HostState => {
    const here = SERVICES.filter((service) => service.hosts.has(host)).map(({ name }) => name)
    const own = repairs[host]
    return {
      host,
      live: Object.fromEntries(here.map((name) => [name, 'a'])),
      slots: here.map(running),
      ...(own === undefined ? {} : { repairs: { services: new Map(), host: [], ...own } }),
    }
  })
  const turns = rolling ? { rolling: { batch: 1, order: HOSTS } } : {}
  return makePlan({ fleet: 'f', environment: 'e', goal: 'deploy', wanted: SERVICES, hosts, ...turns })
}

function told({ services, repairs = [] }: Plan): string[] {
  return [
    ...services.map(({ service, change, reasons }) => `${change} ${service}: ${reasons.join(', ')}`),
    ...repairs.map(({ host, reasons }) => `${host}: ${reasons.join(', ')}`),
  ]
}

function keys(plan: Plan): string[] {
  return plan.steps.map(({ key, slot }) => (slot === undefined ? key : `${key}@${slot}`))
}

describe('a plan starts from what is', () => {
  test('where nothing is to be put right it changes nothing, and has the same hash', () => {
    const plan = planWith({})
    const asLaid = planWith({ h1: {}, h2: {} })

    assert.ok(changesNothing(plan))
    assert.equal(asLaid.hash, plan.hash)
    assert.deepEqual(told(plan), ['same api: ', 'same jobs: '])
  })

  test('a service that is not as it was laid is started anew where that is so, and says why', () => {
    const plan = planWith({ h2: { services: new Map([['api', ['its unit was edited', 'its artifact was altered']]]) } })

    assert.deepEqual(told(plan), [
      'change api: its unit was edited on h2, its artifact was altered on h2',
      'same jobs: ',
    ])
    assert.deepEqual(keys(plan), [
      'stage:h1',
      'stage:h2',
      'start:h2:api@b',
      'prepared',
      'switch:h1',
      'switch:h2',
      'verify',
      'retire:h2',
    ])
    assert.notEqual(plan.hash, planWith({}).hash)
  })

  test('what must not run twice is swapped', () => {
    const plan = planWith({ h2: { services: new Map([['jobs', ['its launcher was edited']]]) } })

    assert.deepEqual(told(plan), ['same api: ', 'change jobs: its launcher was edited on h2'])
    assert.ok(keys(plan).includes('swap:h2:jobs@b'))
  })

  test('a host alone is staged and switched, and nothing is started', () => {
    const plan = planWith({ h1: { host: ['the router does not run', 'a file was edited'] } })

    assert.deepEqual(told(plan), ['same api: ', 'same jobs: ', 'h1: a file was edited, the router does not run'])
    assert.deepEqual(keys(plan), ['stage:h1', 'stage:h2', 'prepared', 'switch:h1', 'switch:h2', 'verify'])
    assert.ok(!changesNothing(plan))
  })

  test('hosts that take turns are put right in their turn, the others at the end', () => {
    const plan = planWith({ h2: { host: ['the router does not run'] } }, true)

    assert.deepEqual(plan.batches, undefined)
    assert.deepEqual(keys(plan), ['stage:h2', 'stage:h1', 'prepared', 'switch:h2', 'switch:h1', 'verify'])
  })

  test('the order in which things are found does not count, and every one of them does', () => {
    const [one, other] = ['a file was edited', 'the router does not run']

    assert.equal(planWith({ h1: { host: [one, other] } }).hash, planWith({ h1: { host: [other, one] } }).hash)
    assert.notEqual(planWith({ h1: { host: [one, other] } }).hash, planWith({ h1: { host: [one] } }).hash)
    assert.notEqual(planWith({ h1: { host: [one] } }).hash, planWith({ h2: { host: [one] } }).hash)
  })

  test('a service that is no longer wanted on a host is not put right there', () => {
    const plan = planWith({ h1: { services: new Map([['jobs', ['its unit was edited']]]) } })

    assert.ok(changesNothing(plan))
  })
})

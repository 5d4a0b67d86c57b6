import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SlotName } from '../manifest/fleet.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import { changesNothing, countChanges, makePlan } from './plan.ts'
import type { HostState, Plan, WantedService } from './plan.ts'

function wanted(name: string, more: Partial<WantedService> = {}): WantedService {
  return {
    name,
    source: more.artifact ?? `${name}-1`,
    artifact: `${name}-1`,
    config: 'c1',
    needs: [],
    swaps: false,
    hosts: new Set(['web']),
    reasons: [],
    ...more,
  }
}

function slot(service: string, more: Partial<SlotReport> = {}): SlotReport {
  return { service, slot: 'a', state: 'running', artifact: `${service}-1`, config: 'c1', restarts: 0, ...more }
}

/** A host on which these slots are live. */
function host(name: string, live: readonly SlotReport[], others: readonly SlotReport[] = []): HostState {
  return {
    host: name,
    live: Object.fromEntries(live.map((report): [string, SlotName] => [report.service, report.slot])),
    slots: [...live, ...others],
  }
}

function plan(services: readonly WantedService[], hosts: readonly HostState[]): Plan {
  return makePlan({ fleet: 'shop', environment: 'test', goal: 'deploy', wanted: services, hosts })
}

/** Each step as `key@slot <- the steps it waits for`. */
function steps(made: Plan): string[] {
  return made.steps.map(
    ({ key, slot, after }) => `${key}${slot === undefined ? '' : `@${slot}`} <- ${after.join(', ')}`,
  )
}

function changes(made: Plan): string[] {
  return made.services.map(({ service, change, reasons }) => `${service}: ${[change, ...reasons].join(', ')}`)
}

describe('the plan', () => {
  it('of a first release starts everything in slot a, in dependency order', () => {
    const made = plan([wanted('backend', { needs: ['config'] }), wanted('config')], [host('web', [])])

    assert.deepEqual(changes(made), ['backend: add, not live yet', 'config: add, not live yet'])
    assert.deepEqual(steps(made), [
      'stage:web <- ',
      'start:web:config@a <- stage:web',
      'start:web:backend@a <- start:web:config',
      'prepared <- stage:web, start:web:config, start:web:backend',
      'switch:web <- prepared',
      'verify <- switch:web',
    ])
  })

  it('of one changed service starts it beside the old one, and leaves the others alone', () => {
    const services = [wanted('backend', { artifact: 'backend-2', needs: ['config'] }), wanted('config')]

    const made = plan(services, [host('web', [slot('backend', { slot: 'b' }), slot('config')])])

    assert.deepEqual(changes(made), ['backend: change, another artifact', 'config: same'])
    assert.deepEqual(steps(made), [
      'stage:web <- ',
      'start:web:backend@a <- stage:web',
      'prepared <- stage:web, start:web:backend',
      'switch:web <- prepared',
      'verify <- switch:web',
      'retire:web <- verify',
    ])
  })

  it('of a changed configuration is a change like any other', () => {
    const made = plan([wanted('backend', { config: 'c2' })], [host('web', [slot('backend')])])

    assert.deepEqual(changes(made), ['backend: change, another configuration'])
    assert.ok(steps(made).includes('start:web:backend@b <- stage:web'))
  })

  it('tells the reasons of the source in place of its own', () => {
    const service = wanted('backend', { artifact: 'backend-2', reasons: ['services/backend/server.js changed'] })

    assert.deepEqual(changes(plan([service], [host('web', [slot('backend')])])), [
      'backend: change, services/backend/server.js changed',
    ])
    assert.deepEqual(changes(plan([{ ...service, artifact: 'backend-1' }], [host('web', [slot('backend')])])), [
      'backend: same',
    ])
  })

  it('of what is live already is empty', () => {
    const made = plan(
      [wanted('backend'), wanted('config')],
      [host('web', [slot('backend'), slot('config', { slot: 'b' })])],
    )

    assert.ok(changesNothing(made))
    assert.deepEqual(countChanges(made), { add: 0, change: 0, remove: 0, same: 2 })
  })

  it('of a service that is no longer wanted retires it after the switch', () => {
    const made = plan([wanted('config')], [host('web', [slot('config'), slot('old', { slot: 'b' })])])

    assert.deepEqual(changes(made), ['config: same', 'old: remove, no longer in the fleet'])
    assert.deepEqual(steps(made), [
      'stage:web <- ',
      'prepared <- stage:web',
      'switch:web <- prepared',
      'verify <- switch:web',
      'retire:web:old@b <- verify',
    ])
  })

  it('of a service that leaves one of its hosts is a change there', () => {
    const made = plan([wanted('config')], [host('db', [slot('config')]), host('web', [slot('config')])])

    assert.deepEqual(changes(made), ['config: change, no longer on db'])
    assert.deepEqual(
      made.steps.filter((step) => step.kind === 'retire').map((step) => step.key),
      ['retire:db:config'],
    )
  })

  it('swaps a singleton at the switch, and nobody waits for it before', () => {
    const services = [
      wanted('scheduler', { artifact: 'scheduler-2', swaps: true }),
      wanted('reports', { artifact: 'reports-2', needs: ['scheduler'] }),
    ]

    const made = plan(services, [host('web', [slot('scheduler'), slot('reports')])])

    assert.deepEqual(steps(made), [
      'stage:web <- ',
      'start:web:reports@b <- stage:web',
      'prepared <- stage:web, start:web:reports',
      'swap:web:scheduler@b <- prepared',
      'switch:web <- swap:web:scheduler',
      'verify <- switch:web',
      'retire:web <- verify',
    ])
  })

  it('adopts a slot that runs the wanted version already', () => {
    const others = [
      slot('backend', { slot: 'b', artifact: 'backend-2' }),
      slot('config', { slot: 'b', artifact: 'config-2', state: 'crashed' }),
    ]
    const services = [wanted('backend', { artifact: 'backend-2' }), wanted('config', { artifact: 'config-2' })]

    const made = plan(services, [host('web', [slot('backend'), slot('config')], others)])

    assert.deepEqual(
      made.steps.flatMap(({ kind, service, slot }) => (service === undefined ? [] : [`${kind} ${service} ${slot}`])),
      ['adopt backend b', 'start config b'],
    )
  })

  it('replaces a live slot that does not run', () => {
    const dead = [
      slot('crashed', { state: 'crashed' }),
      slot('gone', { state: 'absent' }),
      slot('stopped', { state: 'stopped' }),
    ]
    const nowhere = host('web', dead)

    const made = plan(
      ['crashed', 'gone', 'lost', 'stopped'].map((name) => wanted(name)),
      [{ ...nowhere, live: { ...nowhere.live, lost: 'b' } }],
    )

    assert.deepEqual(changes(made), [
      'crashed: change, its live slot is crashed',
      'gone: change, its live slot is gone',
      'lost: change, its live slot is gone',
      'stopped: change, its live slot is stopped',
    ])
    assert.deepEqual(
      made.steps.filter((step) => step.kind === 'start').map((step) => `${step.service} ${step.slot}`),
      ['crashed b', 'gone b', 'lost a', 'stopped b'],
    )
  })

  it('waits for a need on its own host there, and for one that lives elsewhere on every host of it', () => {
    const services = [
      wanted('config', { hosts: new Set(['one', 'two']) }),
      wanted('backend', { needs: ['config'], hosts: new Set(['two', 'three']) }),
    ]

    const made = plan(services, [host('one', []), host('two', []), host('three', [])])

    assert.deepEqual(
      steps(made).filter((step) => step.startsWith('start:')),
      [
        'start:one:config@a <- stage:one',
        'start:two:config@a <- stage:two',
        'start:three:backend@a <- stage:three, start:one:config, start:two:config',
        'start:two:backend@a <- start:two:config',
      ],
    )
  })

  it('does not wait for a need that stays as it is', () => {
    const services = [wanted('config'), wanted('backend', { artifact: 'backend-2', needs: ['config', 'database'] })]

    const made = plan(services, [host('web', [slot('config'), slot('backend')])])

    assert.ok(steps(made).includes('start:web:backend@b <- stage:web'))
  })

  it('migrates a store one service after the other, and starts nothing before', () => {
    const services = [
      wanted('backend', { migrates: 'main', needs: ['config'] }),
      wanted('config', { migrates: 'main' }),
      wanted('reports', { migrates: 'warehouse' }),
    ]

    const made = plan(services, [host('web', [])])

    assert.deepEqual(steps(made).slice(0, 7), [
      'stage:web <- ',
      'migrate:main:config <- stage:web',
      'migrate:warehouse:reports <- stage:web',
      'migrate:main:backend <- migrate:main:config',
      'start:web:config@a <- migrate:main:config, migrate:warehouse:reports, migrate:main:backend',
      'start:web:reports@a <- migrate:main:config, migrate:warehouse:reports, migrate:main:backend',
      'start:web:backend@a <- start:web:config',
    ])
  })

  it('migrates once, on the first host by name, and not at all when the service stays', () => {
    const hosts = new Set(['one', 'two'])
    const both = plan([wanted('backend', { migrates: 'main', hosts })], [host('two', []), host('one', [])])
    const neither = plan(
      [wanted('backend', { migrates: 'main' }), wanted('config', { artifact: 'config-2' })],
      [host('web', [slot('backend'), slot('config')])],
    )

    assert.deepEqual(
      both.steps.filter((step) => step.kind === 'migrate').map((step) => step.host),
      ['one'],
    )
    assert.deepEqual(
      neither.steps.filter((step) => step.kind === 'migrate'),
      [],
    )
  })

  it('moves nothing on a host that does not differ, which says all the same what is live', () => {
    const service = wanted('backend', { artifact: 'backend-2', hosts: new Set(['one', 'two']) })

    const made = plan(
      [service],
      [host('one', [slot('backend', { artifact: 'backend-2' })]), host('two', [slot('backend')])],
    )

    assert.deepEqual(
      made.steps.filter((step) => step.host === 'one').map((step) => step.kind),
      ['stage', 'switch'],
    )
    assert.deepEqual(changes(made), ['backend: change, another artifact'])
  })

  it('stops what must not run twice on one host before it starts on another', () => {
    const service = wanted('jobs', { swaps: true, hosts: new Set(['two']) })

    const made = plan([service], [host('one', [slot('jobs', { slot: 'b' })]), host('two', [])])

    assert.deepEqual(steps(made), [
      'stage:one <- ',
      'stage:two <- ',
      'prepared <- stage:one, stage:two',
      'leave:one:jobs@b <- prepared',
      'swap:two:jobs@a <- leave:one:jobs',
      'switch:one <- leave:one:jobs',
      'switch:two <- swap:two:jobs',
      'verify <- switch:one, switch:two',
    ])
  })

  it('names the hosts that stay as they are, and is another plan with them', () => {
    const input = { fleet: 'shop', environment: 'test', goal: 'deploy', wanted: [wanted('backend')] } as const
    const hosts = [host('web', [])]

    const made = makePlan({ ...input, hosts, leftOut: [{ host: 'db', why: 'without' }] })

    assert.deepEqual(made.leftOut, [{ host: 'db', why: 'without' }])
    assert.notEqual(made.hash, makePlan({ ...input, hosts }).hash)
  })

  it('of an artifact that has still to be built is a change, and adopts nothing', () => {
    const { artifact: _, ...unbuilt } = wanted('backend')
    const unknown: SlotReport = { service: 'backend', slot: 'b', state: 'running', config: 'c1', restarts: 0 }

    const made = plan([unbuilt], [host('web', [slot('backend')], [unknown])])

    assert.deepEqual(changes(made), ['backend: change, another artifact'])
    assert.equal('artifact' in made.services[0]!, false)
    assert.ok(steps(made).includes('start:web:backend@b <- stage:web'))
  })

  it('takes no name for something that JavaScript knows', () => {
    const made = plan([wanted('constructor'), wanted('tostring', { needs: ['constructor'] })], [host('web', [])])

    assert.deepEqual(changes(made), ['constructor: add, not live yet', 'tostring: add, not live yet'])
    assert.ok(steps(made).includes('start:web:tostring@a <- start:web:constructor'))
  })

  it('has the same hash before and after what is new is built', () => {
    const hosts = [host('web', [slot('api')])]
    const { artifact: _, ...unbuilt } = wanted('api', { source: 'new' })

    const shown = makePlan({ fleet: 'f', environment: 'e', goal: 'deploy', wanted: [unbuilt], hosts })
    const built = wanted('api', { source: 'new', artifact: 'api-2' })
    const carriedOut = makePlan({ fleet: 'f', environment: 'e', goal: 'deploy', wanted: [built], hosts })

    assert.equal(shown.services[0]?.artifact, undefined)
    assert.equal(carriedOut.services[0]?.artifact, 'api-2')
    assert.equal(shown.hash, carriedOut.hash)
  })

  it('has another hash for every other intention', () => {
    const input = {
      fleet: 'shop',
      environment: 'test',
      goal: 'deploy',
      wanted: [wanted('backend')],
      hosts: [host('web', [])],
    } as const
    const others = [
      { ...input, fleet: 'shop2' },
      { ...input, environment: 'production' },
      { ...input, goal: 'rollback' as const },
      { ...input, wanted: [wanted('backend', { artifact: 'backend-2' })] },
      { ...input, wanted: [wanted('backend', { config: 'c2' })] },
      { ...input, wanted: [wanted('backend', { swaps: true })] },
      { ...input, wanted: [wanted('backend', { migrates: 'main' })] },
      { ...input, hosts: [host('web', [slot('backend', { artifact: 'old' })])] },
    ]

    const hashes = new Set([input, ...others].map((each) => makePlan(each).hash))

    assert.equal(hashes.size, 1 + others.length)
    assert.equal(makePlan(input).hash, makePlan(input).hash)
  })
})

describe('a rolling plan', () => {
  const names = ['one', 'two', 'three', 'edge']
  const hosts = new Set(['one', 'two', 'three'])
  const running = names.map((name) => host(name, name === 'edge' ? [] : [slot('api')]))
  const rolling = { batch: 2, order: ['three', 'two', 'one', 'edge'] }

  function rollingPlan(services: readonly WantedService[], states: readonly HostState[]): Plan {
    return makePlan({ fleet: 'shop', environment: 'test', goal: 'deploy', wanted: services, hosts: states, rolling })
  }

  it('takes the hosts in their order, each batch once the one before is verified', () => {
    const made = rollingPlan([wanted('api', { artifact: 'api-2', hosts })], running)

    assert.deepEqual(made.batches, [
      ['three', 'two'],
      ['one', 'edge'],
    ])
    assert.deepEqual(steps(made), [
      'stage:three <- ',
      'stage:two <- ',
      'start:three:api@b <- stage:three',
      'start:two:api@b <- stage:two',
      'prepared:1 <- stage:three, stage:two, start:three:api, start:two:api',
      'switch:three <- prepared:1',
      'switch:two <- prepared:1',
      'verify:1 <- switch:three, switch:two',
      'stage:one <- verify:1',
      'stage:edge <- verify:1',
      'start:one:api@b <- stage:one',
      'prepared:2 <- stage:one, stage:edge, start:one:api',
      'switch:one <- prepared:2',
      'switch:edge <- prepared:2',
      'verify:2 <- switch:one, switch:edge',
      'retire:three <- verify:2',
      'retire:two <- verify:2',
      'retire:one <- verify:2',
    ])
  })

  it('migrates once, in the batch in which the service comes first', () => {
    const made = rollingPlan([wanted('api', { artifact: 'api-2', hosts, migrates: 'main' })], running)

    assert.deepEqual(
      made.steps.filter((step) => step.kind === 'migrate').map((step) => step.host),
      ['three'],
    )
  })

  it('is one batch where nothing is live yet, and where something that must not run twice moves', () => {
    const first = rollingPlan(
      [wanted('api', { hosts })],
      names.map((name) => host(name, [])),
    )
    const jobs = wanted('jobs', { swaps: true, hosts: new Set(['two']) })
    const moving = rollingPlan([jobs], [host('one', [slot('jobs')]), host('two', []), host('three', [])])

    assert.equal(first.batches, undefined)
    assert.equal(moving.batches, undefined)
  })
})

describe('a large plan', () => {
  for (const [services, hosts] of [
    [500, 50],
    [1000, 100],
  ] as const) {
    it(`of ${services} services on ${hosts} hosts has exactly the steps that it needs`, () => {
      const names = Array.from({ length: hosts }, (_, index) => `host-${index}`)
      const fleet = Array.from({ length: services }, (_, index) =>
        wanted(`service-${index}`, {
          hosts: new Set(names),
          needs: index === 0 ? [] : [`service-${Math.floor(index / 2)}`],
        }),
      )
      const old = fleet.slice(0, services / 2).map((service) => slot(service.name, { artifact: 'old' }))

      const first = plan(
        fleet,
        names.map((name) => host(name, [])),
      )
      const half = plan(
        fleet,
        names.map((name) => host(name, old)),
      )

      // stage and switch per host, start per service and host, prepared, verify; then a retirement per host for all old slots.
      assert.equal(first.steps.length, 2 * hosts + services * hosts + 2)
      assert.equal(half.steps.length, first.steps.length + hosts)
    })
  }
})

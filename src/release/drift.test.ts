import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Finding } from '../hosts/finding.ts'
import { layout } from '../hosts/layout.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import { driftOf, repairsOf } from './drift.ts'
import type { Actual, ArtifactState, Declared } from './drift.ts'

const DECLARED: Declared = {
  layout: layout('/srv/shop'),
  services: new Map([
    ['api', { artifact: 'api1', config: 'c1', environment: 'e1' }],
    ['jobs', { artifact: 'jobs1', config: 'c1' }],
  ]),
  isWarm: false,
}

const SET = { name: 'r3', release: 3, choices: { api: { slot: 'a' }, jobs: { slot: 'b' } } } as const
const API: SlotReport = {
  service: 'api',
  slot: 'a',
  state: 'running',
  restarts: 0,
  artifact: 'api1',
  config: 'c1',
}
const JOBS: SlotReport = { ...API, service: 'jobs', slot: 'b', artifact: 'jobs1' }
const ENVIRONMENTS = new Map([
  ['api.a', 'e1'],
  ['jobs.b', 'e2'],
])
const WHOLE: ArtifactState = { there: true, isItsOwn: true, count: 0, paths: [] }

const AS_DECLARED: Actual = {
  router: { running: true, live: SET },
  slots: [API, JOBS],
  inspected: { environments: ENVIRONMENTS, findings: [] },
  artifacts: new Map([
    ['api', WHOLE],
    ['jobs', WHOLE],
  ]),
  laid: SET,
}

function foundIn(actual: Actual, declared: Declared = DECLARED): string[] {
  return driftOf(declared, actual).map(({ kind, service = '-', slot = '-', what, path = '-' }) =>
    [kind, service, slot, what, path].join(' | '),
  )
}

const api = (change: Partial<SlotReport>): Partial<Actual> => ({ slots: [{ ...API, ...change }, JOBS] })
const artifact = (change: Partial<ArtifactState>): Partial<Actual> => ({
  artifacts: new Map([['api', { ...WHOLE, ...change }]]),
})
const choices = (
  change: typeof SET.choices | Record<string, { slot: 'a' | 'b'; shielded?: boolean }>,
): Partial<Actual> => ({
  router: { running: true, live: { ...SET, choices: change } },
})
const environments = (change: readonly (readonly [string, string])[]): Partial<Actual> => ({
  inspected: { environments: new Map(change), findings: [] },
})

describe('drift', () => {
  test('is nothing where all is as it was declared, nor where nobody can tell', () => {
    const { router, slots } = AS_DECLARED

    assert.deepEqual(foundIn(AS_DECLARED), [])
    assert.deepEqual(foundIn({ router, slots, laid: SET, artifacts: new Map() }), [])
  })

  const cases: readonly [what: string, change: Partial<Actual>, found: readonly string[]][] = [
    ['a live slot that was stopped', api({ state: 'stopped' }), ['slot-down | api | a | its live slot is stopped | -']],
    ['a live slot that ended', api({ state: 'crashed' }), ['slot-down | api | a | its live slot is crashed | -']],
    ['a live slot that is gone', { slots: [JOBS] }, ['slot-down | api | a | its live slot is gone | -']],
    ['another artifact', api({ artifact: 'x' }), ['slot-other | api | a | it runs the artifact x | -']],
    [
      'another configuration, whose environment file nobody knows',
      { ...api({ config: 'x' }), ...environments([['jobs.b', 'x']]) },
      ['slot-other | api | a | it runs with the configuration x | -'],
    ],
    [
      'a process that nobody knows',
      { slots: [{ service: 'api', slot: 'a', state: 'running', restarts: 0 }, JOBS] },
      [
        'slot-other | api | a | it runs the artifact of nobody | -',
        'slot-other | api | a | it runs with the configuration of nobody | -',
      ],
    ],
    [
      'slots that nobody has declared, and none that is stopped',
      {
        slots: [API, JOBS, { ...API, slot: 'b' }, { ...JOBS, slot: 'a', state: 'stopped' }, { ...API, service: 'old' }],
      },
      [
        'slot-stray | api | b | its slot b runs, and nobody has declared it | -',
        'slot-stray | old | a | its slot a runs, and nobody has declared it | -',
      ],
    ],
    [
      'an environment file that was edited',
      environments([
        ['api.a', 'x'],
        ['jobs.b', 'x'],
      ]),
      ['environment | api | - | its environment file was edited | /srv/shop/env/api/c1.env'],
    ],
    [
      'an environment file that is gone',
      environments([['jobs.b', 'x']]),
      ['environment | api | - | its environment file is gone | /srv/shop/env/api/c1.env'],
    ],
    [
      'an artifact that was altered',
      artifact({ count: 1, paths: ['main.js'] }),
      ['artifact | api | - | its artifact was altered | /srv/shop/artifacts/api/api1/main.js'],
    ],
    [
      'an artifact that was altered often',
      artifact({ count: 30, paths: ['a', 'b'] }),
      ['artifact | api | - | its artifact was altered in 30 places | /srv/shop/artifacts/api/api1/a'],
    ],
    [
      'an artifact that is gone',
      artifact({ there: false }),
      ['artifact | api | - | its artifact is gone | /srv/shop/artifacts/api/api1'],
    ],
    [
      'an artifact whose record was altered with it',
      artifact({ isItsOwn: false }),
      ['artifact | api | - | the record of its artifact is not the one that was laid | /srv/shop/artifacts/api/api1'],
    ],
    [
      'a router that does not run',
      { router: { running: false, live: SET } },
      ['router-down | - | - | the router does not run | -'],
    ],
    [
      'files of the router that were edited',
      { router: { running: true, live: SET, edited: ['/srv/b', '/srv/a'] } },
      [
        'router-edited | - | - | a file of the router is not as it was laid | /srv/a',
        'router-edited | - | - | a file of the router is not as it was laid | /srv/b',
      ],
    ],
    [
      'a live link that leads nowhere',
      { router: { running: true } },
      [
        'router-set | - | - | nothing is live | -',
        'slot-down | api | - | it is not live | -',
        'slot-stray | api | a | its slot a runs, and nobody has declared it | -',
        'slot-down | jobs | - | it is not live | -',
        'slot-stray | jobs | b | its slot b runs, and nobody has declared it | -',
      ],
    ],
    [
      'a set that leads elsewhere than it was laid',
      choices({ api: { slot: 'a', shielded: true }, jobs: { slot: 'b' }, old: { slot: 'a' } }),
      [
        'router-set | api | - | its requests go to slot a, shielded, not to slot a | -',
        'router-set | old | - | its requests go to slot a, not to nobody | -',
      ],
    ],
  ]
  for (const [what, change, found] of cases) {
    test(`is ${what}`, () => {
      assert.deepEqual(foundIn({ ...AS_DECLARED, ...change }), found)
    })
  }

  test('is a set that no kept release has made', () => {
    const { router, slots, artifacts } = AS_DECLARED

    assert.deepEqual(foundIn({ router, slots, artifacts }), [
      'router-set | - | - | the set r3 is live, which is of no release that was kept | -',
    ])
  })

  test('is no slot that is kept warm', () => {
    const slots = [API, JOBS, { ...API, slot: 'b' } as const]

    assert.deepEqual(foundIn({ ...AS_DECLARED, slots }, { ...DECLARED, isWarm: true }), [])
  })

  test('is what the runtime finds of live slots and declared services, once', () => {
    const finding = (kind: Finding['kind'], more: Partial<Finding>): Finding => ({
      kind,
      what: 'x',
      mend: 'release',
      ...more,
    })
    const findings = [
      finding('environment', { service: 'api', slot: 'a' }),
      finding('slot-edited', { service: 'api', slot: 'a' }),
      finding('slot-edited', { service: 'api', slot: 'b' }),
      finding('unit-edited', { service: 'api' }),
      finding('unit-edited', { service: 'old' }),
      finding('unit-foreign', { path: '/etc/x' }),
      finding('environment', { service: 'jobs', slot: 'b' }),
    ]

    assert.deepEqual(
      foundIn({ ...AS_DECLARED, inspected: { environments: new Map([...ENVIRONMENTS, ['api.a', 'x']]), findings } }),
      [
        'unit-foreign | - | - | x | /etc/x',
        'environment | api | - | its environment file was edited | /srv/shop/env/api/c1.env',
        'unit-edited | api | - | x | -',
        'slot-edited | api | a | x | -',
        'environment | jobs | b | x | -',
      ],
    )
  })
})

describe('repairs', () => {
  test('are what a release starts anew, and what it does to the host', () => {
    const finding = (kind: Finding['kind'], service?: string, mend: Finding['mend'] = 'release'): Finding => ({
      kind,
      what: `${kind} ${mend}`,
      mend,
      ...(service === undefined ? {} : { service }),
    })

    const repairs = repairsOf([
      finding('router-down'),
      finding('router-set', 'api'),
      finding('boot'),
      finding('boot', 'api'),
      finding('slot-down', 'api'),
      finding('slot-other', 'api'),
      finding('slot-stray', 'api'),
      finding('unit-edited', 'api'),
      finding('unit-override', 'api', 'hand'),
      finding('helper', undefined, 'bootstrap'),
    ])

    assert.deepEqual(repairs, {
      services: new Map([['api', ['boot release', 'unit-edited release']]]),
      host: ['router-down release', 'boot release', 'api: slot-stray release'],
    })
  })
})

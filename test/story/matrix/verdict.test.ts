import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostView } from './inspect.ts'
import { judge } from './verdict.ts'
import type { Expectation } from './verdict.ts'

const EXPECTED: Expectation = {
  placed: { shop: ['h1', 'h2'], jobs: ['h2'] },
  singletons: ['jobs'],
  away: [],
  versions: ['1', '2'],
}

test('one version everywhere, and nothing beside it, is the version', () => {
  assert.deepEqual(judge([host('h1'), host('h2')], EXPECTED), { version: '1' })
})

const wrong: readonly [what: string, views: HostView[], complaint: RegExp][] = [
  ['another version on one host', [host('h1', { version: '2' }), host('h2')], /a mixed set is live: shop 2 on h1/],
  [
    'a version that nobody released',
    [host('h1', { version: '3' }), host('h2', { version: '3' })],
    /unexpected: shop 3/,
  ],
  ['no set', [{ ...host('h1'), live: null }, host('h2')], /h1: no set is live/],
  ['two masters of nginx', [{ ...host('h1'), masters: 2 }, host('h2')], /h1: 2 masters of nginx run/],
  ['a marker of the waiting room', [marked('h1', 'shop.hold'), host('h2')], /h1: shop has the markers shop.hold/],
  [
    'two markers of a service',
    [marked('h1', 'shop.a', 'shop.b'), host('h2')],
    /h1: shop has the markers shop.a shop.b/,
  ],
  [
    'a marker of a slot that does not run',
    [marked('h1', 'shop.b'), host('h2')],
    /live in slot b, and its unit is unknown/,
  ],
  ['no answer', [{ ...host('h1'), answers: { shop: { failed: '502' } } }, host('h2')], /h1: shop answers 502/],
  ['a stray slot', [running('h1', 'shop', 'b'), host('h2')], /h1: stray unit shop@b.*h1: stray process 9 of shop@b/],
  ['a singleton twice', [running('h1', 'jobs', 'a'), host('h2')], /runs more than once: jobs@a on h1, jobs@a on h2/],
  [
    'what a boot would start',
    [{ ...host('h1'), wanted: ['shop.a', 'shop.b'] }, host('h2')],
    /a boot would start shop.b/,
  ],
  ['what a boot would not', [{ ...host('h1'), wanted: [] }, host('h2')], /it would not be there after a boot/],
  ['something half-made', [{ ...host('h1'), halfMade: ['work/7'] }, host('h2')], /h1: half-made work\/7/],
  ['a command under way', [{ ...host('h1'), commands: ['7 sh -s'] }, host('h2')], /h1: still under way: 7 sh -s/],
  ['a fence without a number', [{ ...host('h1'), fence: '' }, host('h2')], /h1: the fence says ""/],
]
for (const [what, views, complaint] of wrong) {
  test(`${what} is told`, () => {
    const verdict = judge(views, EXPECTED)

    assert.ok('complaints' in verdict)
    assert.match(verdict.complaints.join('; '), complaint)
  })
}

test('a host that is away may have any version, but no second singleton', () => {
  const expected = { ...EXPECTED, away: ['h1'] }

  assert.deepEqual(judge([host('h1', { version: '2' }), host('h2')], expected), { version: '1' })
  assert.ok('complaints' in judge([running('h1', 'jobs', 'a'), host('h2')], expected))
})

test('what runs on no host that can be reached need not answer', () => {
  const alone = { ...host('h1'), answers: { ...host('h1').answers, jobs: { failed: '502' } } }

  assert.deepEqual(judge([alone], { ...EXPECTED, away: ['h2'] }), { version: '1' })
})

/** A host as it should be: the shop in slot a, and jobs on the second. */
function host(name: string, { version = '1' } = {}): HostView {
  const services = name === 'h2' ? ['shop', 'jobs'] : ['shop']
  const pidOf = (service: string): number => (service === 'shop' ? 5 : 6)
  return {
    host: name,
    live: { set: 'r1', files: [...services.map((service) => `${service}.a`), 'markers', 'set.json'] },
    fence: '17',
    units: services.map((service) => ({ service, slot: 'a', state: 'active/running', pid: pidOf(service) })),
    services: services.map((service) => ({
      pid: pidOf(service),
      folder: `/srv/test/artifacts/${service}/x/services/${service}`,
      version,
      service,
      slot: 'a',
    })),
    commands: [],
    masters: 1,
    wanted: services.map((service) => `${service}.a`),
    halfMade: [],
    answers: { shop: { version, slot: 'a', pid: 5 }, jobs: { version, slot: 'a', pid: 6 } },
  }
}

function marked(name: string, ...markers: string[]): HostView {
  return { ...host(name), live: { set: 'r1', files: markers } }
}

/** With one slot more that runs. */
function running(name: string, service: string, slot: string): HostView {
  const view = host(name)
  const folder = `/srv/test/artifacts/${service}/x/services/${service}`
  return {
    ...view,
    units: [...view.units, { service, slot, state: 'active/running', pid: 9 }],
    services: [...view.services, { pid: 9, folder, version: '1', service, slot }],
  }
}

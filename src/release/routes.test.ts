import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlacedService } from '../manifest/fleet.ts'
import type { Route } from '../routers/router.ts'
import type { Artifact } from '../build/artifact.ts'
import { routesMeanwhile, routesOf } from './routes.ts'
import type { Arrangement } from './routes.ts'
import type { SetMember } from './records.ts'

const HOSTS = ['h1', 'h2', 'h3']

function member(name: string, port: number | undefined, hosts: readonly string[]): SetMember {
  const definition: PlacedService = {
    name,
    path: name,
    language: 'go',
    needs: [],
    ready: { path: '/', timeoutMs: 1, steadyMs: 1 },
    drainMs: 1,
    variables: {},
    shared: [],
    smoke: [],
    hosts,
    ...(port === undefined ? {} : { port, slotPorts: [port + 10_000, port + 20_000] }),
  }
  const artifact: Artifact = {
    service: name,
    id: name,
    language: 'go',
    bytes: 1,
    folder: '/',
    start: 'x',
    cwd: '',
    environment: {},
  }
  return { artifact, definition, config: 'c', release: 1 }
}

/** Services as `name: port, hosts`. */
function arrangement(
  services: Readonly<Record<string, readonly [number | undefined, ...string[]]>>,
  shunned: readonly string[] = [],
): Arrangement {
  const members = Object.entries(services).map(([name, [port, ...hosts]]) => [name, member(name, port, hosts)])
  const addresses = new Map(HOSTS.map((host, index) => [host, `10.0.0.${index + 1}`]))
  return { set: Object.fromEntries(members), addresses: { hosts: HOSTS, of: addresses }, shunned: new Set(shunned) }
}

/** `service:port slots`, `… on address` where others come in, `service:port -> hosts` where others answer. */
function shown(routes: readonly Route[]): string[] {
  return routes.map((route) => {
    const name = `${route.service}:${route.port}`
    if ('peers' in route)
      return `${name} -> ${route.peers.map(({ host, address, port }) => `${host}=${address}:${port}`).join(' ')}`
    return `${name} ${route.slotPorts.join(' ')}${route.listen === undefined ? '' : ` on ${route.listen.join(' ')}`}`
  })
}

describe('the routes of a host', () => {
  it('lead to its own slots, to peers for what others run, and let others in where those need it', () => {
    const set = arrangement({
      all: [80, 'h1', 'h2', 'h3'],
      web: [81, 'h1', 'h2'],
      once: [82, 'h3'],
      worker: [undefined, 'h1'],
    })

    assert.deepEqual(shown(routesOf(set, 'h1')), [
      'all:80 10080 20080',
      'web:81 10081 20081 on 10.0.0.1',
      'once:82 -> h3=10.0.0.3:82',
    ])
    assert.deepEqual(shown(routesOf(set, 'h3')), [
      'all:80 10080 20080',
      'web:81 -> h1=10.0.0.1:81 h2=10.0.0.2:81',
      'once:82 10082 20082 on 10.0.0.3',
    ])
  })

  it('lead to no host that others send nothing to, and nowhere when there is no other', () => {
    const set = arrangement({ web: [81, 'h1', 'h2'], once: [82, 'h2'] }, ['h2'])

    assert.deepEqual(shown(routesOf(set, 'h3')), ['web:81 -> h1=10.0.0.1:81'])
    assert.deepEqual(shown(routesOf(set, 'h2')), ['web:81 10081 20081 on 10.0.0.2', 'once:82 10082 20082 on 10.0.0.2'])
  })

  it('know nothing of a service whose hosts have left the environment', () => {
    assert.deepEqual(shown(routesOf(arrangement({ web: [81, 'h9'] }), 'h1')), [])
  })
})

describe('the routes of a host while a release is under way', () => {
  it('still lead to where a service is live: from the host that it leaves, and from the one that it comes to', () => {
    const live = arrangement({ web: [81, 'h1'] })
    const wanted = arrangement({ web: [81, 'h2'] })

    const routes = HOSTS.map((host) => shown(routesMeanwhile(live, wanted, host)))

    assert.deepEqual(routes, [
      ['web:81 10081 20081 on 10.0.0.1'],
      ['web:81 -> h1=10.0.0.1:81'],
      ['web:81 -> h1=10.0.0.1:81'],
    ])
  })

  it('lead to the hosts of before from those that come, until what is live is on these as well', () => {
    const alone = (set: Arrangement): Arrangement => ({ ...set, addresses: { ...set.addresses, hosts: ['h1'] } })
    const live = alone(arrangement({ web: [81, 'h1'] }))
    const wanted = arrangement({ web: [81, ...HOSTS] })

    assert.deepEqual(shown(routesMeanwhile(live, wanted, 'h1')), ['web:81 10081 20081 on 10.0.0.1'])
    assert.deepEqual(shown(routesMeanwhile(live, wanted, 'h2')), ['web:81 -> h1=10.0.0.1:81'])
    assert.deepEqual(shown(routesOf(wanted, 'h2')), ['web:81 10081 20081'])
    assert.deepEqual(shown(routesMeanwhile(wanted, live, 'h1')), ['web:81 10081 20081'])
  })

  it('lead to peers that have it before and after, and keep the way open that others still use', () => {
    const live = arrangement({ web: [81, 'h1', 'h2'] })
    const wanted = arrangement({ web: [81, 'h2', 'h3'] })

    assert.deepEqual(shown(routesMeanwhile(live, wanted, 'h3')), ['web:81 -> h2=10.0.0.2:81'])
    assert.deepEqual(shown(routesMeanwhile(live, wanted, 'h2')), ['web:81 10081 20081 on 10.0.0.2'])
    assert.deepEqual(shown(routesMeanwhile(arrangement({ web: [81, ...HOSTS] }), live, 'h1')), [
      'web:81 10081 20081 on 10.0.0.1',
    ])
  })

  it('have what is new already, and what leaves the fleet still', () => {
    const live = arrangement({ old: [80, 'h1'] })
    const wanted = arrangement({ next: [81, 'h1', 'h2'] })

    assert.deepEqual(shown(routesMeanwhile(live, wanted, 'h1')), [
      'old:80 10080 20080 on 10.0.0.1',
      'next:81 10081 20081 on 10.0.0.1',
    ])
  })

  it('give a live service the slot ports of the new set', () => {
    const live = arrangement({ web: [81, 'h1'] })
    const wanted = arrangement({ web: [81, 'h1'] })
    const moved = wanted.set['web']!
    const set = { web: { ...moved, definition: { ...moved.definition, slotPorts: [5, 20_081] as const } } }

    assert.deepEqual(shown(routesMeanwhile(live, { ...wanted, set }, 'h1')), ['web:81 5 20081 on 10.0.0.1'])
  })
})

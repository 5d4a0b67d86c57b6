import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { Route } from '../router.ts'
import { renderShape } from './configuration.ts'

const ROUTES: readonly Route[] = [
  { service: 'search', port: 3090, slotPorts: [13_090, 23_090] },
  { service: 'backend', port: 3080, slotPorts: [13_080, 23_080] },
]
const OVER_HOSTS: readonly Route[] = [
  { service: 'backend', port: 3080, slotPorts: [13_080, 23_080], listen: ['10.0.0.2', 'fd00::2'] },
  { service: 'queue', port: 3070, peers: [{ host: 'worker-1', address: '10.0.0.9', port: 3070 }] },
  {
    service: 'search',
    port: 3090,
    peers: [
      { host: 'web-1', address: '10.0.0.3', port: 3090 },
      { host: 'web-2', address: 'fd00::3', port: 3090 },
    ],
  },
]
const MACHINE = { folder: '/srv/drover/shop/router', files: 524_288, user: { name: 'drover', group: 'drover' } }

describe('nginx.conf', () => {
  test('of two services', async () => {
    const golden = await readFile(`${import.meta.dirname}/two-services.conf`, 'utf8')

    const { configuration } = renderShape(ROUTES, MACHINE)

    assert.equal(configuration, golden)
  })

  test('of a host that runs one service for others too, and reaches two on other hosts', async () => {
    const golden = await readFile(`${import.meta.dirname}/over-hosts.conf`, 'utf8')

    const { configuration } = renderShape(OVER_HOSTS, MACHINE)

    assert.equal(configuration, golden)
  })

  test('has one name, whatever the order of the routes', () => {
    const { id } = renderShape(ROUTES, MACHINE)

    assert.equal(renderShape(ROUTES.toReversed(), MACHINE).id, id)
    assert.notEqual(renderShape(ROUTES.slice(1), MACHINE).id, id)
  })

  test('quotes the one path that it names', () => {
    const { configuration } = renderShape(ROUTES, { folder: '/srv/a "b" \\ $c;{}', files: 1024 })

    assert.match(configuration, /^working_directory "\/srv\/a \\"b\\" \\\\ \$c;\{\}";$/m)
    assert.match(configuration, /^ {4}worker_connections 960;$/m)
    assert.doesNotMatch(configuration, /^user /m)
  })

  test('takes no name or port that could be read as something else', () => {
    const route = { service: 'shop', port: 80, slotPorts: [1, 2] } as const

    assert.throws(() => renderShape([{ ...route, service: 'a; include /etc/passwd' }], MACHINE), TypeError)
    assert.throws(() => renderShape([{ ...route, port: 80.5 }], MACHINE), TypeError)
    assert.throws(() => renderShape([{ ...route, slotPorts: [1, 70_000] }], MACHINE), TypeError)
    assert.throws(() => renderShape([{ ...route, listen: ['::1]; }'] }], MACHINE), TypeError)
    const peer = { host: 'web-1', address: '10.0.0.3', port: 3090 }
    for (const peers of [[], [{ ...peer, host: 'web\n' }], [{ ...peer, address: '10.0.0.3;' }]]) {
      assert.throws(() => renderShape([{ service: 'shop', port: 80, peers }], MACHINE), TypeError)
    }
  })
})

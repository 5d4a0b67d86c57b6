import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { Route } from '../router.ts'
import { renderShape } from './configuration.ts'

const ROUTES: readonly Route[] = [
  { service: 'search', port: 3090, slotPorts: [13_090, 23_090] },
  { service: 'backend', port: 3080, slotPorts: [13_080, 23_080] },
]
const MACHINE = { folder: '/srv/drover/shop/router', files: 524_288, user: { name: 'drover', group: 'drover' } }

describe('nginx.conf', () => {
  test('of two services', async () => {
    const golden = await readFile(`${import.meta.dirname}/two-services.conf`, 'utf8')

    const { configuration } = renderShape(ROUTES, MACHINE)

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
  })
})

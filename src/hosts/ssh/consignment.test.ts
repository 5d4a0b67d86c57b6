import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { inventoryOf, inventoryText } from '../inventory/inventory.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { changes, missingBytes, nextConsignment } from './consignment.ts'
import type { Doubts, Lying, Wanted } from './consignment.ts'
import { isWorthPacking } from './packing.ts'

const sha = (text: string): string => hash('sha256', text)
const content = (text: string): string => `f${sha(text)}`

/** Files by path, with what they hold. */
function holding(files: Readonly<Record<string, string>>): Inventory {
  const paths = Object.keys(files).toSorted()
  return inventoryOf(paths.map((path) => `f ${files[path]!.length} ${sha(files[path]!)} ${path}`))
}

function wanted(service: string, id: string, files: Readonly<Record<string, string>>): Wanted {
  return { folder: `/store/${service}/${id}`, target: `/srv/${service}/${id}`, inventory: holding(files) }
}

function lying(service: string, id: string, files: Readonly<Record<string, string>>): Lying {
  return { folder: `/srv/${service}/${id}`, inventory: holding(files) }
}

const NONE: Doubts = { lacking: new Set(), bases: false }
const ordersOf = (...orders: readonly string[][]): string =>
  orders
    .flat()
    .map((word) => `${word}\0`)
    .join('')
const record = (path: string, text: string): string => `f ${text.length} ${sha(text)} ${path}`

describe('a consignment', () => {
  test('names what may be linked, what differs and what follows', () => {
    const before = lying('backend', '1', { dep: 'same', gone: 'gone', main: 'old' })
    const now = wanted('backend', '2', { dep: 'same', main: 'new' })

    const consignment = nextConsignment([now], [before], { doubts: NONE, mostBytes: 1000 })

    assert.equal(
      consignment.orders,
      ordersOf(
        ['draw', '/srv/backend/1'],
        ['target', '/srv/backend/2', now.inventory.digest, '/srv/backend/1', '=1', `+${record('main', 'new')}`, '.'],
        ['content', content('new'), '3'],
        ['go', sha(inventoryText(now.inventory.records))],
      ),
    )
    assert.deepEqual(
      consignment.files.map(({ file }) => file),
      ['/store/backend/2/main'],
    )
    assert.deepEqual([consignment.bytes, consignment.sent], [3, [3]])
  })

  test('has equal contents once', () => {
    const [one, other] = [wanted('a', '1', { x: 'same', y: 'same' }), wanted('b', '1', { z: 'same', own: 'b' })]

    const consignment = nextConsignment([one, other], [], { doubts: NONE, mostBytes: 1000 })

    assert.deepEqual(
      consignment.files.map(({ file }) => file),
      ['/store/a/1/x', '/store/b/1/own'],
    )
    assert.deepEqual(consignment.sent, [4, 1])
  })

  test('has as many folders as fit, and at least one', () => {
    const all = [wanted('a', '1', { f: 'x'.repeat(50) }), wanted('b', '1', { f: 'y' }), wanted('c', '1', { f: 'z' })]

    const small = nextConsignment(all, [], { doubts: NONE, mostBytes: 10 })
    const larger = nextConsignment(all, [], { doubts: NONE, mostBytes: 51 })

    assert.deepEqual(small.wanted, all.slice(0, 1))
    assert.deepEqual(larger.wanted, all.slice(0, 2))
  })

  test('does not rely on what turned out otherwise', () => {
    const before = lying('backend', '1', { dep: 'same', main: 'old' })
    const now = wanted('backend', '2', { dep: 'same', main: 'old' })

    const consignment = nextConsignment([now], [before], {
      doubts: { lacking: new Set([content('same')]), bases: true },
      mostBytes: 1000,
    })

    assert.deepEqual(
      consignment.files.map(({ file }) => file),
      ['/store/backend/2/dep'],
    )
    assert.ok(
      consignment.orders.startsWith(
        ordersOf(
          ['draw', '/srv/backend/1'],
          ['target', '/srv/backend/2', now.inventory.digest, '', `+${record('dep', 'same')}`],
        ),
      ),
    )
  })

  test('draws on each folder only for what it is the first to hold', () => {
    const shelf = [lying('a', '1', { f: 'same' }), lying('b', '1', { g: 'same' }), lying('c', '1', { h: 'other' })]

    const consignment = nextConsignment([wanted('d', '1', { x: 'same' })], shelf, { doubts: NONE, mostBytes: 1 })

    assert.equal(consignment.orders.split('\0').filter((word) => word === 'draw').length, 1)
    assert.equal(missingBytes([wanted('d', '1', { x: 'same', y: 'new' })], shelf), 3)
  })
})

describe('changes of an inventory', () => {
  const base = inventoryOf(['d a', 'd b', 'd c', 'd d'])
  const cases: readonly [name: string, records: readonly string[], words: readonly string[]][] = [
    ['none', ['d a', 'd b', 'd c', 'd d'], ['=4']],
    ['all', ['d x'], ['+d x']],
    ['the first', ['d b', 'd c', 'd d'], ['-1', '=3']],
    ['the last', ['d a', 'd b', 'd c'], ['=3']],
    ['in the middle', ['d a', 'd aa', 'd d'], ['=1', '+d aa', '-2', '=1']],
    ['everything gone', [], []],
  ]
  for (const [name, records, words] of cases) {
    test(name, () => {
      assert.deepEqual(changes(base, inventoryOf(records)), words)
    })
  }

  test('without a base', () => {
    assert.deepEqual(changes(undefined, inventoryOf(['d a', 'd b'])), ['+d a', '+d b'])
  })
})

test('packing is worth it for much over a line that is known to be slow', () => {
  const slow = 2_000

  assert.ok(isWorthPacking(10_000_000, slow, 'gzip'))
  assert.ok(isWorthPacking(10_000_000, 12_000, 'zstd'))
  assert.ok(!isWorthPacking(10_000_000, 12_000, 'gzip'))
  assert.ok(!isWorthPacking(10_000_000, 100_000, 'zstd'))
  assert.ok(!isWorthPacking(10_000_000, undefined, 'zstd'))
  assert.ok(!isWorthPacking(2_000, slow, 'zstd'))
})

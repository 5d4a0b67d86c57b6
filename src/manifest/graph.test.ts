import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dependants, findCycle, findCycles, tiers } from './graph.ts'
import type { Needing } from './graph.ts'

/** `a: b c` reads as: a needs b and c. */
function graph(text: string): Needing[] {
  return text.split('; ').map((line) => {
    const [name = '', needs = ''] = line.split(':')
    return { name: name.trim(), needs: needs.split(' ').filter((need) => need !== '') }
  })
}

describe('tiers', () => {
  it('stand as far from the beginning as their longest way', () => {
    const services = graph('d: a c; c: b; b: a; a:; e: a; f:')

    const result = tiers(services).map((tier) => tier.map(({ name }) => name))

    assert.deepEqual(result, [['a', 'f'], ['b', 'e'], ['c'], ['d']])
  })

  it('take a need outside the list for ready, and one named twice for one', () => {
    const services = graph('a: elsewhere; b: a a')

    const result = tiers(services).map((tier) => tier.map(({ name }) => name))

    assert.deepEqual(result, [['a'], ['b']])
  })

  it('of nothing are none', () => {
    assert.deepEqual(tiers([]), [])
  })

  it('throw on a cycle and name it', () => {
    assert.throws(() => tiers(graph('a: b; b: a; c:')), /a -> b -> a/)
  })
})

describe('cycles', () => {
  it('start at their smallest name', () => {
    assert.deepEqual(findCycle(graph('c: a; b: c; a: b')), ['a', 'b', 'c', 'a'])
  })

  it('of one service are one step long', () => {
    assert.deepEqual(findCycle(graph('a: a')), ['a', 'a'])
  })

  it('are all found, each knot once', () => {
    const services = graph('a: b; b: a; c: d a; d: c; e: a; x: y; y: z; z: x')

    assert.deepEqual(findCycles(services), [
      ['a', 'b', 'a'],
      ['c', 'd', 'c'],
      ['x', 'y', 'z', 'x'],
    ])
  })

  it('are not seen where two ways lead to one service', () => {
    assert.equal(findCycle(graph('a: b c; b: d; c: d; d:')), undefined)
  })

  it('are seen inside a larger knot beside one that was found', () => {
    const services = graph('a: b; b: c a; c: d; d: c; e: b')

    const found = findCycles(services)

    assert.deepEqual(found, [
      ['c', 'd', 'c'],
      ['a', 'b', 'a'],
    ])
  })
})

describe('dependants', () => {
  it('are found through others', () => {
    const services = graph('a:; b: a; c: b; d: c; e:')

    assert.deepEqual([...dependants(services, ['b'])].sort(), ['c', 'd'])
    assert.deepEqual([...dependants(services, ['e'])], [])
  })
})

describe('20,000 services', () => {
  it('in one chain are no matter of the stack', () => {
    const chain = Array.from({ length: 20_000 }, (_, n) => ({ name: `s${n}`, needs: n === 0 ? [] : [`s${n - 1}`] }))

    assert.equal(tiers(chain).length, 20_000)
    assert.equal(findCycle(chain.toReversed()), undefined)
    assert.equal(dependants(chain, ['s0']).size, 19_999)
    assert.equal(findCycle([...chain.slice(1), { name: 's0', needs: ['s19999'] }])?.length, 20_001)
  })
})

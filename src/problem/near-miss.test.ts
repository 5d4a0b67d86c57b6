import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearMiss } from './near-miss.ts'

const SERVICES = ['backend', 'config', 'gateway', 'reports', 'search']

const cases: readonly (readonly [word: string, candidates: readonly string[], meant: string | undefined])[] = [
  ['backen', SERVICES, 'backend'],
  ['backendd', SERVICES, 'backend'],
  ['backemd', SERVICES, 'backend'],
  ['bakcend', SERVICES, 'backend'],
  ['Config', SERVICES, 'config'],
  ['gatewya', SERVICES, 'gateway'],
  ['report', SERVICES, 'reports'],
  ['billing', SERVICES, undefined],
  ['x', SERVICES, undefined],
  ['', SERVICES, undefined],
  ['backend', [], undefined],
  ['prot', ['path', 'port', 'part'], 'port'],
  ['need', ['needs', 'seed'], 'needs'],
  ['ready', ['ready'], 'ready'],
  ['on', ['no', 'needs'], 'no'],
  ['abcdef', ['abxxef', 'xxcdxx'], 'abxxef'],
  ['größe', ['groesse', 'größen'], 'größen'],
]

describe('the near miss', () => {
  for (const [word, candidates, meant] of cases) {
    it(`of "${word}" among ${candidates.join(', ') || 'nothing'} is ${meant ?? 'nobody'}`, () => {
      assert.equal(nearMiss(word, candidates), meant)
    })
  }

  it('is the first of those that are equally near, and the nearest in any order', () => {
    assert.equal(nearMiss('cat', ['car', 'can']), 'car')
    assert.equal(nearMiss('services', ['servicer', 'service', 'services']), 'services')
  })
})

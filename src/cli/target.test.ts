import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Refusal } from '../problem/problem.ts'
import { chooseEnvironment, releaseNumber } from './target.ts'

const staging = { fleet: 'pakashop', environment: 'staging' }
const production = { fleet: 'pakashop', environment: 'production' }
const both = [staging, production]

function complaint(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof Refusal)
    assert.equal(error.outcome, 'usage')
    return error.message
  }
  return assert.fail('nothing was refused')
}

describe('the environment of a command', () => {
  it('is the one that is named, as a word or an option', () => {
    assert.deepEqual(chooseEnvironment(both, { words: ['staging', '12'] }), { environment: staging, rest: ['12'] })
    assert.deepEqual(chooseEnvironment(both, { words: ['12'], option: 'production' }), {
      environment: production,
      rest: ['12'],
    })
    assert.deepEqual(chooseEnvironment(both, { words: ['staging', '12'], option: 'staging' }), {
      environment: staging,
      rest: ['12'],
    })
  })

  it('may be left out when there is only one', () => {
    assert.deepEqual(chooseEnvironment([staging], { words: ['backend'] }), { environment: staging, rest: ['backend'] })
    assert.deepEqual(chooseEnvironment([staging], { words: [] }), { environment: staging, rest: [] })
  })

  it('is asked for, with the near miss by name', () => {
    assert.match(
      complaint(() => chooseEnvironment(both, { words: [] })),
      /is missing\n.*Name one of staging, production/,
    )
    assert.match(
      complaint(() => chooseEnvironment(both, { words: ['stagign'] })),
      /no environment "stagign"\n.*Did you mean staging\?/,
    )
    assert.match(
      complaint(() => chooseEnvironment(both, { words: [], option: 'qa' })),
      /There are staging, production/,
    )
    assert.match(
      complaint(() => chooseEnvironment(both, { words: ['staging'], option: 'production' })),
      /Name it once/,
    )
    assert.match(
      complaint(() => chooseEnvironment([], { words: [] })),
      /nothing has been released yet/,
    )
  })

  it('is not guessed between two fleets', () => {
    const other = { fleet: 'masaruk', environment: 'staging' }

    assert.match(
      complaint(() => chooseEnvironment([staging, other], { words: ['staging'] })),
      /one of pakashop and one of masaruk/,
    )
  })
})

describe('the number of a release', () => {
  it('is a number', () => {
    assert.deepEqual(['12', '#12'].map(releaseNumber), [12, 12])
    for (const word of ['0', '-1', '1.5', 'twelve', '', '9999999999', '1e3'])
      assert.match(
        complaint(() => releaseNumber(word)),
        /should be a number/,
      )
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readOutline } from './outline.ts'

describe('the outline of a manifest', () => {
  test('has the fleet and its environments, whatever else stands there', () => {
    const text = 'fleet: shop\nmistake: 1\nenvironments:\n  staging:\n  production: { branch: 7 }\nservices: no\n'

    const outline = readOutline(text, 'drover.yaml')

    assert.deepEqual(outline, { fleet: 'shop', environments: ['staging', 'production'] })
  })

  const unclear = {
    'is empty': '',
    'is no YAML': 'fleet: [',
    'is a list': '- fleet\n',
    'has no fleet': 'environments: { test: }\n',
    'has a number for a fleet': 'fleet: 7\nenvironments: { test: }\n',
    'has no environments': 'fleet: shop\n',
    'has a list of environments': 'fleet: shop\nenvironments: [test]\n',
    'has an environment that is no text': 'fleet: shop\nenvironments: { 7: }\n',
  }
  for (const [what, text] of Object.entries(unclear)) {
    test(`is none where the text ${what}`, () => {
      const outline = readOutline(text, 'drover.yaml')

      assert.equal(outline, undefined)
    })
  }
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { plainOutline, readOutline } from './outline.ts'
import { yamlOutline } from './yaml-outline.ts'

const EXAMPLE = readFileSync(new URL('../../examples/pakashop/drover.yaml', import.meta.url), 'utf8')

describe('the outline of a manifest', () => {
  test('has the fleet and its environments, whatever else stands there', async () => {
    const text = 'fleet: shop\nmistake: 1\nenvironments:\n  staging:\n  production: { branch: 7 }\nservices: no\n'

    const outline = await readOutline(text, 'drover.yaml')

    assert.deepEqual(outline, { fleet: 'shop', environments: ['staging', 'production'] })
  })

  test('is found without the library where the manifest is written plainly', () => {
    const outline = plainOutline(EXAMPLE)

    assert.deepEqual(outline, { fleet: 'pakashop', environments: ['staging', 'production'] })
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
    test(`is none where the text ${what}`, async () => {
      const outline = await readOutline(text, 'drover.yaml')

      assert.equal(outline, undefined)
    })
  }

  const odd = [
    '"fleet": shop\nenvironments:\n  a:\n',
    'fleet: "shop"\nenvironments:\n  a:\n',
    'fleet: shop # ours\nenvironments: # two\n  # first\n  a: # one\n\n  b: { x: 1 }\n',
    'fleet:\n  shop\nenvironments:\n  a:\n',
    'fleet: shop\n  two\nenvironments:\n  a:\n',
    'fleet: shop\nenvironments: { a: , b: }\n',
    'fleet: shop\nenvironments:\n  a: &x\n    y: 1\n  b: *x\n',
    'fleet: shop\nenvironments:\n  a:\n    note: |\n      b:\n      c\n  d:\n',
    'fleet: shop\nenvironments:\n  a: {\n    x: 1 }\n  d:\n',
    'fleet: shop\nenvironments:\n  a: "x\n    b: y"\n',
    'fleet: shop\nenvironments:\n  a b:\n',
    'fleet: shop\nenvironments:\n  a:\n  a:\n',
    'fleet: shop\nfleet: other\nenvironments:\n  a:\n',
    'fleet: shop\nservices:\n  environments:\n    a:\nenvironments:\n  b:\n',
    '---\nfleet: shop\nenvironments:\n  a:\n',
    '{fleet: shop,\nenvironments: {a: }}\n',
    'fleet: true\nenvironments:\n  a:\n',
    'fleet: null\nenvironments:\n  yes:\n',
  ]
  for (const text of odd) {
    test(`never has other names than YAML: ${JSON.stringify(text)}`, () => {
      const plain = plainOutline(text)

      if (plain !== undefined) assert.deepEqual(plain, yamlOutline(text, 'drover.yaml'))
    })
  }
})

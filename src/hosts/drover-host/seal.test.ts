import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSealed, sealed } from './seal.ts'

const TEXT = '# Written by Drover for shop/prod.\n\n[Service]\nUser=drover-services\n'

test('a unit names what it says, after the line that tells whose it is', () => {
  assert.match(sealed(TEXT), /^# Written by Drover for shop\/prod\.\n# As laid: [0-9a-f]{16}\n\n\[Service\]\n/)
  assert.equal(isSealed(sealed(TEXT)), true)
})

const edits: readonly [what: string, edit: (text: string) => string][] = [
  ['a line was changed', (text) => text.replace('drover-services', 'root')],
  ['a line was added', (text) => `${text}MemoryMax=1\n`],
  ['a blank was added', (text) => `${text} `],
  ['its first line was changed', (text) => text.replace('prod', 'test')],
  ['its seal was changed', (text) => text.replace(/laid: ./, 'laid: g')],
  ['its seal was removed', () => TEXT],
  ['its seal was moved', (text) => text.replace(/(# As laid.*\n)(\n)/, '$2$1')],
  ['it was emptied', () => ''],
  ['its end was cut off', (text) => text.slice(0, 80)],
]
for (const [what, edit] of edits) {
  test(`a unit is not as it was laid when ${what}`, () => {
    assert.equal(isSealed(edit(sealed(TEXT))), false)
  })
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { relayAnswers } from './relay-answers.ts'

const SAID = 'noise of a shell\nmark begin\n7 begin 4711\n7 out 6\na\n1 exi8 err 3\nb\0c7 exit 0\n8 missing 1\n'
const HEARD = ['open', '7 begin 4711', '7 out 6 a\n1 ex', 'garbage']

/** Everything heard of bytes that come in pieces of this size. */
function heard(text: string, piece: number): string[] {
  const all: string[] = []
  const answers = relayAnswers('mark', {
    onOpen: () => all.push('open'),
    onAnswer: ({ id, what, number, bytes }) => all.push(`${id} ${what} ${number} ${bytes.toString()}`.trimEnd()),
    onGarbage: () => all.push('garbage'),
  })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += piece) answers.push(bytes.subarray(at, at + piece))
  return all
}

describe('what a relay answers', () => {
  const whole = SAID.replace('out 6\na\n1 exi', 'out 7\na\n1 exi')

  test('is read wherever it is cut', () => {
    for (let piece = 1; piece <= whole.length; piece += 1) {
      assert.deepEqual(
        heard(whole, piece),
        ['open', '7 begin 4711', '7 out 7 a\n1 exi', '8 err 3 b\0c', '7 exit 0', '8 missing 1'],
        `in pieces of ${piece}`,
      )
    }
  })

  test('is not believed once it makes no sense', () => {
    for (const piece of [1, 7, SAID.length]) assert.deepEqual(heard(SAID, piece), HEARD)
    assert.deepEqual(heard(`mark begin\n${'x'.repeat(200)}`, 50), ['open', 'garbage'])
  })

  test('is nothing without the mark', () => {
    assert.deepEqual(heard(`${'mark'.repeat(1000)}\n7 exit 0\n`, 9), [])
  })
})

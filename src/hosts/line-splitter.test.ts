import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptOutput } from './kept-output.ts'
import { lineSplitter } from './line-splitter.ts'

test('lines come out whole, wherever the bytes are cut', () => {
  const bytes = Buffer.from('é\r\n\n😀 two\nlast')
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const lines: string[] = []
    const splitter = lineSplitter((line) => lines.push(line))

    splitter.push(bytes.subarray(0, cut))
    splitter.push(bytes.subarray(cut))
    splitter.end()

    assert.deepEqual(lines, ['é', '', '😀 two', 'last'])
  }
})

test('a line without an end is handed on in pieces', () => {
  const lines: string[] = []
  const splitter = lineSplitter((line) => lines.push(line))

  for (let count = 0; count < 10; count += 1) {
    splitter.push(Buffer.alloc(50_000, 'x'))
  }
  splitter.end()

  assert.equal(lines.join('').length, 500_000)
  assert.ok(lines.every((line) => line.length <= 65_536))
})

test('of an output at most so many bytes are kept, from both ends, whatever the chunks', () => {
  const whole = Array.from({ length: 100 }, (_, index) => String(index).padStart(3, '0')).join('')
  for (const size of [1, 7, 50, 300]) {
    const kept = keptOutput(20)

    for (let start = 0; start < whole.length; start += size) {
      kept.push(Buffer.from(whole.slice(start, start + size)))
    }

    assert.equal(kept.text(), '0000010020\n[280 bytes left out]\n6097098099')
  }
})

test('an output that fits is kept as it is', () => {
  const kept = keptOutput(20)

  kept.push(Buffer.from('0123456789'))
  kept.push(Buffer.from('0123456789'))

  assert.equal(kept.text(), '01234567890123456789')
})

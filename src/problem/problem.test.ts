import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatPlace, formatProblem, printable, problem, Refusal, refusal, sortProblems } from './problem.ts'
import type { Place, Problem } from './problem.ts'

describe('a problem in writing', () => {
  const written: readonly (readonly [problem: Problem, text: string])[] = [
    [
      problem(
        'manifest/type',
        { file: 'drover.yaml', line: 8, column: 15, at: 'services.gateway.port' },
        'should be an integer, got "80a"',
        'Did you mean 80?',
      ),
      'drover.yaml:8:15 services.gateway.port: should be an integer, got "80a"\n  HINT: Did you mean 80?',
    ],
    [problem('hosts/disk-full', 'host web-1', 'has no space left'), 'host web-1: has no space left'],
    [problem('cli/usage', {}, 'needs a service'), 'needs a service'],
    [
      { ...problem('a/b', { file: 'drover.yaml', line: 3 }, 'is deprecated'), severity: 'warning' },
      'drover.yaml:3: warning: is deprecated',
    ],
    [
      problem('a/b', 'service \u001b[31mred', 'says "\u0007\u009b1m"', 'Look at \u0000.'),
      'service \\x1b[31mred: says "\\x07\\x9b1m"\n  HINT: Look at \\x00.',
    ],
  ]
  for (const [each, text] of written) {
    it(JSON.stringify(text), () => assert.equal(formatProblem(each), text))
  }

  it('names a place by whatever is known of it', () => {
    const places: readonly Place[] = [
      {},
      { file: 'a.yaml' },
      { file: 'a.yaml', line: 2 },
      { file: 'a.yaml', line: 2, column: 3 },
      { at: 'b.c' },
      { file: 'a.yaml', at: '' },
      { file: 'a.yaml', line: 2, at: 'b.c' },
    ]

    assert.deepEqual(places.map(formatPlace), ['', 'a.yaml', 'a.yaml:2', 'a.yaml:2:3', 'b.c', 'a.yaml', 'a.yaml:2 b.c'])
  })
})

describe('printable text', () => {
  it('shows control characters, and keeps lines, tabs and every script', () => {
    const kept = 'a\tb\nc äöü 漢字 🚚'
    const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter(
      (character) => /\p{Cc}/u.test(character) && !'\t\n'.includes(character),
    )

    assert.equal(printable(kept), kept)
    assert.equal(printable('\r\u001b]0;title\u0007'), '\\x0d\\x1b]0;title\\x07')
    assert.equal(controls.length, 63)
    for (const control of controls) assert.match(printable(control), /^\\x[0-9a-f]{2}$/)
  })
})

describe('sorted problems', () => {
  it('stand as a reader meets them, whatever order they were found in', () => {
    const inOrder: readonly Problem[] = [
      problem('x/1', 'environments.a', 'no file'),
      problem('x/2', { file: 'a.yaml', line: 2, column: 9 }, 'first line'),
      problem('x/3', { file: 'a.yaml', line: 10, column: 1 }, 'by number, not by digit'),
      problem('x/4', { file: 'a.yaml', line: 10, column: 2, at: 'a' }, 'by path'),
      problem('x/5', { file: 'a.yaml', line: 10, column: 2, at: 'b' }, 'an error first'),
      { ...problem('x/6', { file: 'a.yaml', line: 10, column: 2, at: 'b' }, 'then the warning'), severity: 'warning' },
      problem('x/7', { file: 'b.yaml', line: 1, column: 1 }, 'next file'),
    ]
    const found = [3, 6, 0, 5, 2, 4, 1].map((index) => inOrder[index]!)

    const sorted = sortProblems(found)

    assert.deepEqual(sorted, inOrder)
    assert.deepEqual(found[0], inOrder[3])
  })
})

describe('a refusal', () => {
  it('is an error that says all of its problems', () => {
    const cause = new Error('ECONNREFUSED')
    const several = new Refusal(
      [problem('a/b', 'one', 'is wrong', 'Right it.'), problem('a/c', 'two', 'is wrong')],
      'usage',
      { cause },
    )

    assert.ok(several instanceof Error)
    assert.equal(several.message, 'one: is wrong\n  HINT: Right it.\ntwo: is wrong')
    assert.equal(several.name, 'Refusal')
    assert.equal(several.outcome, 'usage')
    assert.equal(several.cause, cause)
  })

  it('of one problem has changed nothing, unless it says otherwise', () => {
    const one = refusal('hosts/disk-full', { file: 'a', line: 1 }, 'is full', 'Free some.')

    assert.equal(one.outcome, 'refused')
    assert.deepEqual(one.problems, [
      {
        code: 'hosts/disk-full',
        severity: 'error',
        where: { file: 'a', line: 1 },
        what: 'is full',
        hint: 'Free some.',
      },
    ])
  })

  it('without a hint has no empty one', () => {
    assert.equal('hint' in problem('a/b', 'one', 'is wrong'), false)
  })
})

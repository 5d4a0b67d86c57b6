import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { problem } from '../../problem/problem.ts'
import type { ReleaseDocument } from '../../release/documents.ts'
import { paint } from '../text/paint.ts'
import { summary } from './summary.ts'
import { ASKED_AT, ONE_CHANGED, RELEASE, does, happened } from './testing-release.ts'
import type { Happening } from './testing-release.ts'

const options = { width: 80, paints: paint(false) }
const traffic = { requests: 4211, failed: 0, rescued: 2 }
const ended: ReleaseDocument = { ...RELEASE, phase: 'ended', startedAt: ASKED_AT, endedAt: ASKED_AT + 8900, traffic }

describe('the summary of a release', () => {
  it('that is kept: what is live, when, at which cost, and how to go back', () => {
    const release: ReleaseDocument = { ...ended, outcome: 'kept', live: true, switchedAt: ASKED_AT + 3700 }

    const text = summary(happened(ONE_CHANGED), release, options)

    assert.equal(
      text,
      [
        '✓ release 12 of pakashop/staging is live  3f9c2a1 Coupon: round half up',
        '  1 new or changed, 18 untouched, 0 removed',
        '  live after 3.7 s, ended after 8.9 s',
        '  4,211 requests meanwhile: 0 failed, 2 rescued',
        '  go back:  drover rollback staging',
      ].join('\n'),
    )
  })

  it('that changed nothing', () => {
    const text = summary(happened([]), { ...ended, outcome: 'unchanged' }, options)

    assert.equal(
      text.split('\n')[0],
      '= nothing changed: pakashop/staging runs exactly this already; nothing was touched',
    )
  })

  it('that is refused: every problem with what to do', () => {
    const problems = [
      problem('a/b', 'host local', 'is full', 'Free some space.'),
      problem('a/c', 'environment staging', 'is frozen'),
    ]

    const text = summary(happened([]), { ...ended, outcome: 'refused', problems, endedAt: ASKED_AT + 100 }, options)

    assert.equal(
      text,
      [
        '✗ release 12 of pakashop/staging is refused; nothing was changed',
        '  ended after 0.1 s',
        '✗ host local: is full',
        '  HINT: Free some space.',
        '✗ environment staging: is frozen',
      ].join('\n'),
    )
  })

  it('that failed: the last words of the service that did, and where to look', () => {
    const output = (service: string, line: string): Happening => [1, { kind: 'output', service, line }]
    const view = happened([
      output('coupon', 'Error: no database'),
      output('fraud', 'all is well'),
      [2, does('coupon', 'failed')],
    ])
    const problems = [problem('release/not-ready', 'service coupon', 'never got ready')]

    const lines = summary(view, { ...ended, outcome: 'restored', problems }, options).split('\n')

    assert.deepEqual(lines, [
      '✗ release 12 of pakashop/staging failed; what was live before is live',
      '  ended after 8.9 s',
      '  4,211 requests meanwhile: 0 failed, 2 rescued',
      '✗ service coupon: never got ready',
      '  coupon │ Error: no database',
      '  look:  drover release staging 12 -v',
    ])
  })

  it('that left something broken says that hands are needed', () => {
    const text = summary(happened([]), { ...ended, outcome: 'broken' }, options)

    assert.match(text, /could not be restored: hands are needed/)
    assert.match(text, /look: {2}drover status staging/)
  })
})

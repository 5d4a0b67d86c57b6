import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plainLines } from './plain.ts'
import { reduce, viewOf } from './state.ts'
import { ASKED_AT, ONE_CHANGED, RELEASE } from './testing-release.ts'
import type { Happening } from './testing-release.ts'

function plain(happenings: readonly Happening[], verbose = false): string[] {
  let view = viewOf(RELEASE)
  return happenings.flatMap(([seconds, body]) => {
    const event = { at: ASKED_AT + seconds * 1000, body }
    const lines = plainLines(view, event, { verbose })
    view = reduce(view, event)
    return lines
  })
}

describe('plain lines', () => {
  it('tell each change of state once, with the seconds since the release was asked for', () => {
    const lines = plain(ONE_CHANGED.filter(([, body]) => !('service' in body) || body.service === 'coupon'))

    assert.deepEqual(lines, [
      '[   0.0s] source',
      '[   0.2s] build',
      '[   0.3s] coupon: building',
      '[   2.4s] coupon: built after 2.1 s',
      '[   2.4s] plan',
      '[   2.5s] + 0  ~ 1  - 0  = 18  5e5e5e5e5e5e',
      '[   2.5s] gate',
      '[   2.6s] stage',
      '[   2.7s] coupon: staged',
      '[   2.7s] start',
      '[   2.8s] coupon: starting',
      '[   3.6s] coupon: ready after 0.8 s',
      '[   3.6s] switch',
      '[   3.7s] switched 1 on local in 4 ms',
      '[   3.7s] verify',
      '[   4.2s] watch: 102 requests, 0 failed, 0 rescued, 4.5 s left',
      '[   5.2s] watch: 311 requests, 0 failed, 1 rescued, 3.5 s left',
      '[   8.7s] watch: 1,204 requests, 0 failed, 1 rescued, 0.0 s left',
      '[   8.7s] keep',
    ])
  })

  it('tell nothing twice when events are told again', () => {
    const again = plain([...ONE_CHANGED.slice(0, 22), ...ONE_CHANGED.slice(20, 22)])

    assert.deepEqual(again, plain(ONE_CHANGED.slice(0, 22)))
  })

  it('have outputs only when more is asked for, and never their control characters', () => {
    const output: Happening = [1, { kind: 'output', service: 'coupon', line: '\u001b[31mred\u0007' }]

    assert.deepEqual(plain([output]), [])
    assert.deepEqual(plain([output], true), ['[   1.0s] coupon | \\x1b[31mred\\x07'])
  })

  it('say who holds the environment, who took the release up, and where', () => {
    const lines = plain([
      [0, { kind: 'waiting', for: 11, actor: 'ben', since: ASKED_AT }],
      [65, { kind: 'resumed', worker: 'host-2' }],
      [66, { kind: 'note', text: 'anna asked to cancel it, in the step start' }],
      [67, { kind: 'service', service: 'coupon', host: 'web-1', state: 'failed', detail: 'exited with 1' }],
    ])

    assert.deepEqual(lines, [
      '[   0.0s] waits for release 11 by ben',
      '[  65.0s] taken up by host-2 where it was',
      '[  66.0s] anna asked to cancel it, in the step start',
      '[  67.0s] coupon on web-1: failed: exited with 1',
    ])
  })
})

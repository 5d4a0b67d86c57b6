import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reduce, viewOf, withLink } from './state.ts'
import { ASKED_AT, ONE_CHANGED, PAKASHOP, RELEASE, does, happened, planChanging } from './testing-release.ts'
import type { Happening } from './testing-release.ts'

describe('the view of a release', () => {
  it('follows the story and keeps what a person wants to know of it', () => {
    const view = happened(ONE_CHANGED)

    assert.equal(view.phase, 'ended')
    assert.equal(view.reached, 'keep')
    assert.equal(view.ended?.outcome, 'kept')
    assert.equal(view.switchedAt, ASKED_AT + 3700)
    assert.equal(view.watchMs, 4500)
    assert.equal(view.services.size, PAKASHOP.length)
    assert.equal(view.services.get('coupon')?.state, 'live')
    assert.equal(view.services.get('coupon')?.tookMs, 800)
    assert.equal(view.services.get('backend')?.change, 'same')
  })

  it('is the same whichever way the events come in: the input is never changed', () => {
    const before = happened(ONE_CHANGED.slice(0, 30))
    const copy = structuredClone(before)

    reduce(before, { at: 0, body: does('coupon', 'failed') })
    reduce(before, { at: 0, body: { kind: 'output', service: 'coupon', line: 'x' } })
    reduce(before, { at: 0, body: { kind: 'switched', host: 'local', services: 1, ms: 1 } })

    assert.deepEqual(before, copy)
  })

  it('shows the host that is furthest behind, and a failure before all else', () => {
    const all = happened([
      [1, planChanging(['coupon'])],
      [2, does('coupon', 'starting', { host: 'web-1' })],
      [2, does('coupon', 'starting', { host: 'web-2' })],
      [3, does('coupon', 'ready', { host: 'web-1' })],
    ])
    const failed = reduce(all, {
      at: ASKED_AT,
      body: does('coupon', 'failed', { host: 'web-2', detail: 'exited with 1' }),
    })

    assert.equal(all.services.get('coupon')?.state, 'starting')
    assert.equal(all.services.get('coupon')?.since, ASKED_AT + 2000)
    assert.equal(failed.services.get('coupon')?.state, 'failed')
    assert.equal(failed.services.get('coupon')?.detail, 'exited with 1')
  })

  it('switches a service host by host, and counts it as live once all of its hosts have', () => {
    const one = happened([
      ...['web-1', 'web-2'].map((host): Happening => [1, does('coupon', 'ready', { host })]),
      [2, { kind: 'switched', host: 'web-1', services: 1, ms: 3 }],
    ])

    const both = reduce(one, { at: ASKED_AT, body: { kind: 'switched', host: 'web-2', services: 1, ms: 3 } })

    assert.deepEqual(
      [...(one.services.get('coupon')?.hosts ?? [])],
      [
        ['web-1', 'live'],
        ['web-2', 'ready'],
      ],
    )
    assert.deepEqual(
      [one, both].map(({ services }) => services.get('coupon')?.state),
      ['ready', 'live'],
    )
  })

  it('stops waiting when the release begins', () => {
    const waiting = happened([[0, { kind: 'waiting', for: 11, actor: 'ben', since: ASKED_AT - 5000 }]])
    const begun = reduce(waiting, { at: ASKED_AT, body: { kind: 'phase', phase: 'source' } })

    assert.equal(waiting.waiting?.for, 11)
    assert.equal(begun.waiting, undefined)
  })

  it('remembers how far it got when it goes back', () => {
    const view = happened([
      [1, { kind: 'phase', phase: 'start' }],
      [2, { kind: 'phase', phase: 'undo' }],
    ])

    assert.equal(view.phase, 'undo')
    assert.equal(view.reached, 'start')
  })

  it('keeps the newest output only, and nothing that would move the cursor', () => {
    const many = Array.from(
      { length: 500 },
      (_, at) => [at, { kind: 'output', service: 'coupon', line: `\u001b[2J line ${at}\r\n` }] as const,
    )

    const view = happened(many)

    assert.equal(view.output.length, 200)
    assert.deepEqual(view.output.at(-1), { service: 'coupon', line: '\\x1b[2J line 499' })
  })

  it('says what goes on with the control plane until that is over', () => {
    const lost = withLink(viewOf(RELEASE), 'lost')
    const back = withLink(lost, undefined)

    assert.equal(lost.link, 'lost')
    assert.equal('link' in back, false)
  })
})

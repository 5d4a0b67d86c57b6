import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { widthOf } from '../text/width.ts'
import { frame } from './frame.ts'
import { withLink } from './state.ts'
import type { ReleaseView } from './state.ts'
import { ASKED_AT, ONE_CHANGED, PAKASHOP, does, happened, planChanging } from './testing-release.ts'
import type { Happening } from './testing-release.ts'

const small = { width: 80, height: 24, tick: 0, colour: false }
const large = { width: 120, height: 40, tick: 0, colour: false }

function at(seconds: number): { now: number } {
  return { now: ASKED_AT + seconds * 1000 }
}

/** All 19 services on their way, some further than others. */
const ALL_CHANGED: readonly Happening[] = [
  [0.2, { kind: 'phase', phase: 'build' }],
  [9, { kind: 'phase', phase: 'plan' }],
  [9, planChanging(PAKASHOP)],
  [9.5, { kind: 'phase', phase: 'stage' }],
  ...PAKASHOP.map((name): Happening => [9.6, does(name, 'staged')]),
  [10, { kind: 'phase', phase: 'start' }],
  ...['config', 'gateway', 'backend', 'search', 'analytics'].map((name): Happening => [10, does(name, 'starting')]),
  [11.5, does('config', 'ready', { ms: 1500 })],
  [12.25, does('gateway', 'ready', { ms: 2250 })],
]

describe('a frame of 80 by 24', () => {
  it('has all 19 services on their way', () => {
    const picture = frame(happened(ALL_CHANGED), { ...small, ...at(12.5) })

    assert.equal(
      picture,
      [
        'pakashop/staging #12  3f9c2a1 Coupon: round half up                         0:12',
        'source  build  plan  gate  stage  migrate  ▸start  switch  verify  keep',
        '',
        '~ analytics        ⠋ starting      2.5 s  services/analytics/server.js changed',
        '~ backend          ⠋ starting      2.5 s  services/backend/server.js changed',
        '~ config           ✓ ready         1.5 s  services/config/server.js changed',
        '~ coupon           ✓ staged               services/coupon/server.js changed',
        '~ fraud            ✓ staged               services/fraud/server.js changed',
        '~ gateway          ✓ ready         2.3 s  services/gateway/server.js changed',
        '~ invoicing        ✓ staged               services/invoicing/server.js changed',
        '~ loyalty          ✓ staged               services/loyalty/server.js changed',
        '~ moderation       ✓ staged               services/moderation/server.js changed',
        '~ notifications    ✓ staged               services/notifications/server.js chan…',
        '~ pricing          ✓ staged               services/pricing/server.js changed',
        '~ recommendations  ✓ staged               services/recommendations/server.js ch…',
        '~ reconciliation   ✓ staged               services/reconciliation/server.js cha…',
        '~ reports          ✓ staged               services/reports/server.js changed',
        '~ scheduler        ✓ staged               services/scheduler/server.js changed',
        '~ search           ⠋ starting      2.5 s  services/search/server.js changed',
        '~ settlement       ✓ staged               services/settlement/server.js changed',
        '~ tracking         ✓ staged               services/tracking/server.js changed',
        '~ whatsapp         ✓ staged               services/whatsapp/server.js changed',
        'Ctrl-C cancels the release and goes back to what was live',
      ].join('\n'),
    )
  })

  it('keeps what does not change in one line, and shows the last word of a build', () => {
    const building = ONE_CHANGED.findIndex(([, body]) => body.kind === 'output')
    const picture = frame(happened(ONE_CHANGED.slice(0, building + 1)), { ...small, ...at(2) })

    assert.equal(
      picture,
      [
        'pakashop/staging #12  3f9c2a1 Coupon: round half up                         0:02',
        'source  ▸build  plan  gate  stage  migrate  start  switch  verify  keep',
        '',
        '  coupon    ⠋ building      1.7 s  added 57 packages in 700ms',
        '= 18 built before: analytics, backend, config, fraud, gateway, invoicing, loyal…',
        '',
        '  coupon │ added 57 packages in 700ms',
        '',
        'Ctrl-C cancels the release and goes back to what was live',
      ].join('\n'),
    )
  })

  it('shows the watch with what it counts', () => {
    const watching = ONE_CHANGED.findIndex(([, body]) => body.kind === 'watch' && body.rescued > 0)
    const picture = frame(happened(ONE_CHANGED.slice(0, watching + 1)), { ...small, ...at(5.2) })

    assert.deepEqual(
      picture.split('\n').filter((line) => /watch|coupon {2}/.test(line)),
      [
        '~ coupon    ● live          0.8 s  services/coupon/server.js changed',
        'watch ████░░░░░░░░░░░░  3.5 s left  311 requests  0 failed  1 rescued',
      ],
    )
  })

  it('shows at which step it failed, and what came of each service', () => {
    const view = happened([
      ...ALL_CHANGED,
      [13, does('backend', 'failed', { detail: 'GET /health/ready answered 503 for 30 s' })],
      [13, { kind: 'phase', phase: 'undo' }],
      [14, { kind: 'ended', outcome: 'restored', problems: [], ms: 14_000 }],
    ])

    const lines = frame(view, { ...small, ...at(14) }).split('\n')

    assert.equal(lines[1], 'source  build  plan  gate  stage  migrate  ✗start  switch  verify  keep')
    assert.equal(lines[4], '~ backend          ✗ failed               GET /health/ready answered 503 for 30…')
    assert.equal(lines[5], '~ config           ○ undone               services/config/server.js changed')
  })

  it('says whom it waits for, that it cancels, and that it hears nothing', () => {
    const waiting = happened([[0, { kind: 'waiting', for: 11, actor: 'ben', since: ASKED_AT - 30_000 }]])
    const last = (view: ReleaseView): string | undefined =>
      frame(view, { ...small, ...at(2) })
        .split('\n')
        .at(-1)

    assert.equal(last(waiting), '⠋ waits for release 11 by ben, under way for 32.0 s')
    assert.equal(
      last(withLink(waiting, 'cancelling')),
      '⠋ cancelling: going back to what was live.  Ctrl-C again leaves it to itself',
    )
    assert.equal(last(withLink(waiting, 'lost')), '⠋ the control plane does not answer; the release goes on with it')
  })
})

describe('a release to several hosts', () => {
  it('has a sign for each host of a service, and the names of those that are behind', () => {
    const on = (host: string): Happening[] => [[1, does('coupon', 'starting', { host })]]
    const view = happened([
      [0, { kind: 'phase', phase: 'start' }],
      [0.5, planChanging(['coupon', 'backend'])],
      ...['web-1', 'web-2', 'web-3'].flatMap(on),
      [1, does('backend', 'ready', { host: 'web-1', ms: 500 })],
      [1, does('backend', 'ready', { host: 'web-2', ms: 500 })],
      [2, does('coupon', 'ready', { host: 'web-1', ms: 1000 })],
    ])

    const lines = frame(view, { ...small, ...at(3) }).split('\n')

    assert.deepEqual(lines.slice(3, 5), [
      '~ backend   ✓ ready         0.5 s  ✓✓  services/backend/server.js changed',
      '~ coupon    ⠋ starting      2.0 s  ✓⠋⠋ web-2, web-3  services/coupon/server.js …',
    ])
  })
})

describe('a frame of 120 by 40', () => {
  it('has room for outputs', () => {
    const view = happened([
      ...ALL_CHANGED,
      ...Array.from({ length: 20 }, (_, n): Happening => [
        12,
        { kind: 'output', service: 'backend', line: `line ${n}` },
      ]),
    ])

    const lines = frame(view, { ...large, ...at(12.5) }).split('\n')

    assert.equal(lines[1], 'source   build   plan   gate   stage   migrate   ▸start   switch   verify   keep')
    assert.equal(lines[12], '~ notifications    ✓ staged               services/notifications/server.js changed')
    assert.deepEqual(
      lines.filter((line) => line.includes('│')),
      Array.from({ length: 8 }, (_, n) => `  backend │ line ${n + 12}`),
    )
  })
})

describe('every frame', () => {
  const views = [ALL_CHANGED, ONE_CHANGED.slice(0, 21), ONE_CHANGED.slice(0, 40), ONE_CHANGED, []].map((happenings) =>
    happened(happenings),
  )
  const strange = happened([
    [0, { kind: 'output', service: '貨物-貨物-貨物-貨物-貨物-貨物-貨物', line: '🐄'.repeat(200) }],
  ])

  it('fits the terminal, whatever its size, with colours and without', () => {
    for (const view of [...views, strange]) {
      for (const [width, height] of [
        [80, 24],
        [120, 40],
        [60, 15],
        [40, 10],
        [20, 6],
        [200, 5],
      ] as const) {
        for (const colour of [true, false]) {
          const picture = stripVTControlCharacters(frame(view, { width, height, tick: 3, colour, ...at(75) }))
          const lines = picture.split('\n')

          assert.ok(lines.length < height, `${lines.length} lines in ${height}`)
          for (const line of lines) assert.ok(widthOf(line) <= width, `${widthOf(line)} columns in ${width}: ${line}`)
        }
      }
    }
  })

  it('is the same without colours as with', () => {
    const view = happened(ALL_CHANGED)

    const plain = frame(view, { ...small, ...at(12.5) })
    const colourful = frame(view, { ...small, colour: true, ...at(12.5) })

    assert.notEqual(colourful, plain)
    assert.equal(stripVTControlCharacters(colourful), plain)
  })

  it('leaves out done services first when there are too many', () => {
    const names = Array.from({ length: 60 }, (_, n) => `service-${String(n).padStart(2, '0')}`)
    const services = names.map((service) => ({ service, change: 'change', reasons: [] }))
    const view = happened([
      [1, { kind: 'plan', hash: 'ab', counts: { add: 0, change: 60, remove: 0, same: 0 }, services }],
      ...names.map((name, n): Happening => [2, does(name, n === 59 ? 'failed' : n % 10 === 0 ? 'starting' : 'ready')]),
    ])

    const lines = frame(view, { ...small, ...at(3) }).split('\n')

    assert.equal(lines.filter((line) => line.includes('starting')).length, 6)
    assert.ok(lines.some((line) => line.startsWith('~ service-59')))
    assert.ok(lines.includes('  and 41 more: 41 ready'))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlanDocument } from '../../release/documents.ts'
import { wantsColour } from '../cli.ts'
import { paint } from './paint.ts'
import { planText } from './plan-text.ts'
import { table } from './table.ts'
import { age, clock, duration } from './time.ts'
import { fit, oneLine, padEnd, widthOf } from './width.ts'

describe('text for a terminal', () => {
  it('is cut by columns, not by characters', () => {
    const cases: [text: string, width: number, expected: string][] = [
      ['coupon', 6, 'coupon'],
      ['coupon', 5, 'coup…'],
      ['coupon', 1, '…'],
      ['coupon', 0, ''],
      ['貨物船', 6, '貨物船'],
      ['貨物船', 5, '貨物…'],
      ['貨物船', 4, '貨…'],
      ['🐄🐄🐄', 4, '🐄…'],
      ['é́́clair', 3, 'é́́c…'],
    ]

    for (const [text, width, expected] of cases) {
      assert.equal(fit(text, width), expected)
      assert.ok(widthOf(fit(text, width)) <= width)
    }
    assert.equal(padEnd('貨', 4), '貨  ')
  })

  it('never moves the cursor', () => {
    assert.equal(oneLine('a\tb\r\nc\u001b[2Jd\u009be\u0000'), 'a b c\\x1b[2Jd\\x9be\\x00')
  })

  it('tells times as exactly as anybody wants to know', () => {
    assert.deepEqual([0, 400, 12_340, 59_940, 59_960, 3_723_000, -5].map(duration), [
      '0.0 s',
      '0.4 s',
      '12.3 s',
      '59.9 s',
      '0:59',
      '1:02:03',
      '0.0 s',
    ])
    assert.deepEqual([0, 14_900, 125_000].map(clock), ['0:00', '0:14', '2:05'])
    assert.deepEqual([8_000, 300_000, 10_800_000, 1_036_800_000].map(age), ['8 s', '5 min', '3 h', '12 d'])
  })
})

describe('colours', () => {
  it('are for terminals, unless the person wants none', () => {
    assert.equal(wantsColour({}, {}, true), true)
    assert.equal(wantsColour({}, {}, false), false)
    assert.equal(wantsColour({ FORCE_COLOR: '1' }, {}, false), true)
    assert.equal(wantsColour({ NO_COLOR: '1', FORCE_COLOR: '1' }, {}, true), false)
    assert.equal(wantsColour({ NO_COLOR: '' }, {}, true), true)
    assert.equal(wantsColour({ TERM: 'dumb' }, {}, true), false)
    assert.equal(wantsColour({}, { color: false }, true), false)
    assert.equal(wantsColour({}, { json: true }, true), false)
  })
})

describe('a table', () => {
  const columns = [
    { title: 'SERVICE', least: 8 },
    { title: 'PORT', align: 'right' },
    { title: 'NOTE', least: 4 },
    { title: 'EMPTY' },
  ] as const

  it('aligns its columns and leaves out one in which nothing stands', () => {
    const text = table(
      columns,
      [
        ['backend', '80', 'x', ''],
        ['貨物', '3080', '', ''],
      ],
      { width: 80 },
    )

    assert.equal(text, ['SERVICE  PORT  NOTE', 'backend    80  x', '貨物     3080'].join('\n'))
  })

  it('gives way where it is told to, when the terminal is narrow', () => {
    const rows = [['recommendations', '3100', 'a long note about it', '']]

    const text = table(columns, rows, { width: 40 })

    assert.deepEqual(text.split('\n'), ['SERVICE       PORT  NOTE', 'recommendat…  3100  a long note about it'])
    assert.ok(text.split('\n').every((line) => widthOf(line) <= 40))
  })

  it('shows control characters instead of obeying them', () => {
    const text = table([{ title: 'A' }], [['x\u001b]0;owned\u0007']], { width: 80 })

    assert.equal(text, 'A\nx\\x1b]0;owned\\x07')
  })
})

describe('a plan', () => {
  const plan: PlanDocument = {
    fleet: 'pakashop',
    environment: 'staging',
    goal: 'deploy',
    services: [
      {
        service: 'backend',
        change: 'change',
        reasons: ['services/backend/server.js changed', 'another configuration'],
      },
      { service: 'config', change: 'same', reasons: [], artifact: 'a1' },
      { service: 'coupon', change: 'add', reasons: ['not live yet'], artifact: 'b2' },
      { service: 'legacy', change: 'remove', reasons: ['no longer in the fleet'] },
    ],
    counts: { add: 1, change: 1, remove: 1, same: 1 },
    stepCount: 9,
    hash: '5e'.repeat(32),
  }

  it('tells each service with its sign and why, and what has still to be built', () => {
    const text = planText(plan, { width: 80, paints: paint(false) })

    assert.equal(
      text,
      [
        '~ backend  services/backend/server.js changed, another configuration, to be bui…',
        '= config',
        '+ coupon   not live yet',
        '- legacy   no longer in the fleet',
        '',
        '+ 1 to add, ~ 1 to change, - 1 to remove, = 1 unchanged',
        'plan 5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e',
      ].join('\n'),
    )
  })

  it('says plainly that nothing changed', () => {
    const counts = { add: 0, change: 0, remove: 0, same: 1 }
    const same = { ...plan, services: plan.services.slice(1, 2), counts, stepCount: 0 }

    const text = planText(same, { width: 80, paints: paint(false) })

    assert.equal(text, '= config\n\n= nothing changed: pakashop/staging runs exactly this already')
  })

  it('names the hosts that stay as they are, and the batches of the others', () => {
    const text = planText(
      {
        ...plan,
        services: plan.services.slice(1, 2),
        leftOut: [
          { host: 'db', why: 'without' },
          { host: 'edge', why: 'away', detail: 'did not answer in time' },
        ],
        batches: [['web-1'], ['web-2', 'web-3']],
      },
      { width: 80, paints: paint(false) },
    )

    assert.deepEqual(text.split('\n').slice(2, 5), [
      '! host db is left out, and is sent nothing until it is healed',
      '✗ host edge is away, so this is refused: did not answer in time',
      '  one batch of hosts after the other: web-1 → web-2, web-3',
    ])
  })
})

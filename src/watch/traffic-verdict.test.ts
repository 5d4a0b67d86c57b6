import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge } from './traffic-verdict.ts'
import type { Evidence, TrafficCount } from './traffic-verdict.ts'

const policy = { errorRise: 0.01, minRequests: 50 }

describe('the verdict on traffic', () => {
  test('names the service whose failures rose, and keeps the others', () => {
    const before = { search: { requests: 900, slotFailures: 9 }, shop: { requests: 1000, slotFailures: 1 } }
    const after = { search: { requests: 400, slotFailures: 5 }, shop: { requests: 340, slotFailures: 12 } }

    const { verdict, services } = judge({ before, after, policy })

    assert.equal(verdict, 'undo')
    assert.deepEqual(
      services.map(({ service, verdict, reason }) => ({ service, verdict, reason })),
      [
        {
          service: 'search',
          verdict: 'keep',
          reason: '5 of 400 requests failed (1.25 %), 1 % before; 1 % more is accepted',
        },
        {
          service: 'shop',
          verdict: 'undo',
          reason: '12 of 340 requests failed (3.53 %), 0.1 % before; 1 % more is accepted',
        },
      ],
    )
  })

  test('says nothing on a small sample', () => {
    const after = { shop: { requests: 49, slotFailures: 49 }, idle: { requests: 0, slotFailures: 0 } }

    const { verdict, services } = judge({ before: {}, after, policy })

    assert.equal(verdict, 'keep')
    assert.equal(services[1]?.reason, 'only 49 requests, fewer than 50 say nothing')
    assert.equal(services[1]?.after, undefined)
  })

  test('does not let a small sample before excuse what comes after', () => {
    const before = { shop: { requests: 3, slotFailures: 3 } }
    const after = { shop: { requests: 1000, slotFailures: 500 } }

    const { verdict, services } = judge({ before, after, policy })

    assert.equal(verdict, 'undo')
    assert.match(services[0]?.reason ?? '', /too few before to compare/)
  })

  test('without a lower limit, no requests still say nothing', () => {
    const after = { shop: { requests: 0, slotFailures: 0 } }

    assert.equal(judge({ before: {}, after, policy: { errorRise: 0, minRequests: 0 } }).verdict, 'keep')
  })

  test('a worse outcome never turns undo into keep, and nothing failing is always kept', () => {
    const seed = Date.now() % 1_000_000
    const random = randomFrom(seed)
    for (let round = 0; round < 2_000; round++) {
      const evidence = randomEvidence(random)
      const { verdict } = judge(evidence)
      const context = `seed ${seed}, ${JSON.stringify(evidence)}`

      const worse = judge({
        ...evidence,
        after: mapCounts(evidence.after, (n) => ({ ...n, slotFailures: n.requests })),
      })
      const better = judge({ ...evidence, after: mapCounts(evidence.after, (n) => ({ ...n, slotFailures: 0 })) })
      const patient = judge({ ...evidence, policy: { ...evidence.policy, errorRise: 1 } })

      if (verdict === 'undo') assert.equal(worse.verdict, 'undo', context)
      assert.equal(better.verdict, 'keep', context)
      assert.equal(patient.verdict, 'keep', context)
    }
  })

  test('a release says undo exactly when one of its services does', () => {
    const seed = Date.now() % 1_000_000
    const random = randomFrom(seed)
    for (let round = 0; round < 2_000; round++) {
      const evidence = randomEvidence(random)
      const context = `seed ${seed}, ${JSON.stringify(evidence)}`

      const { verdict, services } = judge(evidence)

      const alone = Object.entries(evidence.after).map(([name, count]) =>
        judge({ ...evidence, after: { [name]: count } }),
      )
      assert.equal(
        verdict === 'undo',
        alone.some((one) => one.verdict === 'undo'),
        context,
      )
      assert.deepEqual(
        services.map(({ service }) => service),
        Object.keys(evidence.after).sort(),
        context,
      )
    }
  })
})

function randomEvidence(random: () => number): Evidence {
  const counts = (): Record<string, TrafficCount> =>
    Object.fromEntries(
      ['shop', 'search', 'auth'].map((name) => {
        const requests = Math.floor(random() * 200)
        return [name, { requests, slotFailures: Math.floor(random() ** 4 * (requests + 1)) }]
      }),
    )
  return {
    before: counts(),
    after: counts(),
    policy: { errorRise: random() / 4, minRequests: Math.floor(random() * 100) },
  }
}

function mapCounts(counts: Evidence['after'], change: (count: TrafficCount) => TrafficCount): Evidence['after'] {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, change(count)]))
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

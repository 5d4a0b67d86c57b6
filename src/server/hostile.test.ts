import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { failureSchema } from './schemas.ts'
import { STAGING, TOKEN, deployOf, testingClient } from './testing-client.ts'

const authorization = `Bearer ${TOKEN}`
const json = { authorization, 'content-type': 'application/json' }

suite('odd requests', () => {
  const bodies: [name: string, init: RequestInit, status: number][] = [
    ['no body', { headers: json }, 400],
    ['no content type', { headers: { authorization }, body: JSON.stringify(deployOf('main')) }, 415],
    [
      'a form',
      { headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' }, body: 'goal=deploy' },
      415,
    ],
    ['half a document', { headers: json, body: '{"order":' }, 400],
    ['another type', { headers: json, body: '[]' }, 400],
    ['null', { headers: json, body: 'null' }, 400],
    ['an unknown field', { headers: json, body: JSON.stringify({ ...deployOf('main'), force: true }) }, 400],
    ['an unknown goal', { headers: json, body: JSON.stringify({ order: { goal: 'destroy' }, actor: 'anna' }) }, 400],
    ['a ref that is an option', { headers: json, body: JSON.stringify(deployOf('--upload-pack=sh')) }, 400],
    ['control characters', { headers: json, body: JSON.stringify(deployOf('main\u001b[2J')) }, 400],
    ['a prototype', { headers: json, body: '{"__proto__":{"order":1},"actor":"anna"}' }, 400],
    [
      'a body that is too large',
      { headers: json, body: JSON.stringify({ ...deployOf('main'), reason: 'x'.repeat(70_000) }) },
      413,
    ],
    ['a body that is nested too deep', { headers: json, body: '['.repeat(5_000) + ']'.repeat(5_000) }, 400],
  ]
  for (const [name, init, status] of bodies) {
    test(`${name} is ${status}`, async () => {
      const client = testingClient()

      const response = await client.raw(`${STAGING}/releases`, { method: 'POST', ...init })

      const failure = failureSchema.parse(await response.json())
      assert.equal(response.status, status)
      assert.equal(failure.outcome, 'usage')
      assert.ok(failure.problems.length > 0)
    })
  }

  test('every fault of a body is told at once, each with its place', async () => {
    const client = testingClient()

    const response = await client.post(`${STAGING}/releases`, {
      order: { goal: 'deploy', repository: 7 },
      actor: '',
      expectedPlan: 'zz',
    })

    const { problems } = failureSchema.parse(await response.json())
    assert.deepEqual(
      problems.map((problem) => problem.where.at),
      ['body.order.repository', 'body.actor', 'body.expectedPlan'],
    )
  })

  const paths = [
    '/v1/fleets/..%2f..%2fetc/environments/staging/status',
    '/v1/fleets/pakashop/environments/%2e%2e/status',
    '/v1/fleets/pakashop/environments/a%00b/status',
    '/v1/fleets/Pakashop/environments/staging/status',
    `/v1/fleets/${'a'.repeat(300)}/environments/staging/status`,
    '/v1/fleets/pakashop/environments/%F0%9F%90%84/status',
    '/v1/fleets/pakashop/environments/%/status',
    '/v1/fleets/pakashop/environments/$(id)/status',
    `${STAGING}/releases/0`,
    `${STAGING}/releases/-1`,
    `${STAGING}/releases/1.5`,
    `${STAGING}/releases/99999999999999999999`,
    `${STAGING}/releases/one`,
    `${STAGING}/releases?limit=0`,
    `${STAGING}/releases?limit=1001`,
    `${STAGING}/releases?before=x`,
    `${STAGING}/logs?lines=-1`,
    `${STAGING}/logs?follow=perhaps`,
    `${STAGING}/logs?service=a&service=../b`,
  ]
  for (const path of paths) {
    test(`${path.slice(0, 80)} is a usage error`, async () => {
      const client = testingClient()

      const response = await client.get(path)

      const failure = failureSchema.parse(await response.json())
      assert.ok([400, 404].includes(response.status), String(response.status))
      assert.equal(failure.outcome, 'usage')
    })
  }

  test('500 mutated bodies never meet a fault of the server', async () => {
    const seed = Number(process.env['DROVER_TEST_SEED'] ?? Date.now() % 1_000_000)
    const random = randomFrom(seed)
    const client = testingClient({ services: ['backend'], paceMs: 0 })

    for (let round = 0; round < 500; round++) {
      const body = mutated(JSON.stringify({ ...deployOf('main'), reason: 'because', expectedPlan: 'deadbeef' }), random)
      const response = await client.raw(`${STAGING}/plan`, { method: 'POST', headers: json, body })

      assert.ok(response.status < 500, `seed ${seed}, round ${round}: ${response.status} for ${JSON.stringify(body)}`)
    }
    assert.deepEqual(client.log, [])
  })
})

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\u0000',
  '1e999',
  '-0',
  'null',
  'true',
  '\\',
  '\uD800',
  '"order"',
  '{"goal":"rollback","to":1e9}',
  ' '.repeat(50),
]

/** Up to four cuts, doublings and strange pieces at random places. */
function mutated(text: string, random: () => number): string {
  const edits = 1 + Math.floor(random() * 4)
  for (let edit = 0; edit < edits; edit++) {
    const at = Math.floor(random() * text.length)
    const length = Math.floor(random() * 12)
    const piece = random() < 0.5 ? PIECES[Math.floor(random() * PIECES.length)]! : text.slice(at, at + length).repeat(2)
    text = text.slice(0, at) + piece + text.slice(at + length)
  }
  return text
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

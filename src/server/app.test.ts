import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from '@hono/zod-openapi'
import { Refusal, problem } from '../problem/problem.ts'
import { eventSchema, failureSchema, logLineSchema, planSchema, releaseSchema, statusSchema } from './schemas.ts'
import type { Failure } from './schemas.ts'
import { STAGING, TOKEN, deployOf, eventsOf, testingClient } from './testing-client.ts'

const releasesSchema = z.strictObject({ releases: z.array(releaseSchema) })
const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })

suite('the API', () => {
  test('plans without steps unless they are asked for', async () => {
    const client = testingClient()

    const plain = await client.post(`${STAGING}/plan`, deployOf('main'))
    const stepped = await client.post(`${STAGING}/plan?steps=true`, deployOf('main'))

    const plan = planSchema.parse(await plain.json())
    const full = planSchema.parse(await stepped.json())
    assert.equal(plain.status, 200)
    assert.equal(plan.steps, undefined)
    assert.deepEqual(plan.counts, { add: 3, change: 0, remove: 0, same: 0 })
    assert.equal(full.steps?.length, plan.stepCount)
    assert.ok(plan.stepCount > 3)
  })

  test('records a release at once and tells its story to the end', async () => {
    const client = testingClient()

    const asked = await client.post(`${STAGING}/releases`, { ...deployOf('main'), reason: 'first' })
    const events = await eventsOf(await client.get(`${STAGING}/releases/1/events`))
    const release = releaseSchema.parse(await (await client.get(`${STAGING}/releases/1`)).json())

    assert.equal(asked.status, 202)
    assert.equal(events.at(-1)?.event, 'ended')
    assert.equal(release.outcome, 'kept')
    assert.equal(release.live, true)
    assert.equal(release.reason, 'first')
    assert.equal(release.plan?.steps, undefined)
    assert.equal(release.plan?.counts.add, 3)
  })

  test('lists releases newest first, page by page, without their plans', async () => {
    const client = testingClient()
    for (const ref of ['main', 'one', 'same']) {
      await client.post(`${STAGING}/releases`, deployOf(ref))
    }
    await eventsOf(await client.get(`${STAGING}/releases/3/events`))

    const first = releasesSchema.parse(await (await client.get(`${STAGING}/releases?limit=2`)).json())
    const second = releasesSchema.parse(await (await client.get(`${STAGING}/releases?limit=2&before=2`)).json())

    const numbers = (page: { releases: { number: number }[] }): number[] =>
      page.releases.map((release) => release.number)
    assert.deepEqual(numbers(first), [3, 2])
    assert.deepEqual(numbers(second), [1])
    assert.equal(first.releases[1]?.plan, undefined)
  })

  test('cancels a release, and says of an ended one that it cannot', async () => {
    const client = testingClient()
    await client.post(`${STAGING}/releases`, deployOf('endless'))

    const asked = await client.post(`${STAGING}/releases/1/cancel`, { actor: 'anna' })
    const events = await eventsOf(await client.get(`${STAGING}/releases/1/events`))
    const again = await client.post(`${STAGING}/releases/1/cancel`, { actor: 'anna' })

    assert.equal(asked.status, 202)
    assert.equal(outcomeOf(events.at(-1)?.data), 'cancelled')
    assert.equal(again.status, 409)
    assert.equal((await failureOf(again)).problems[0]?.code, 'release/ended')
  })

  test('tells the status, the environments and the logs, and tears down', async () => {
    const client = testingClient()
    await client.post(`${STAGING}/releases`, deployOf('main'))
    await eventsOf(await client.get(`${STAGING}/releases/1/events`))

    const status = statusSchema.parse(await (await client.get(`${STAGING}/status`)).json())
    const environments = await client.get('/v1/environments')
    const lines = await eventsOf(await client.get(`${STAGING}/logs?service=config&service=gateway&lines=2`))
    const gone = await client.post(`${STAGING}/teardown`, { actor: 'anna' })
    const after = statusSchema.parse(await (await client.get(`${STAGING}/status`)).json())

    assert.equal(status.live?.number, 1)
    assert.equal(status.services[0]?.state, 'ready')
    assert.deepEqual(await environments.json(), {
      environments: ['staging', 'production'].map((environment) => ({ fleet: 'pakashop', environment })),
    })
    assert.deepEqual(
      lines.map((line) => logLineSchema.parse(line.data).service),
      ['config', 'config', 'gateway', 'gateway'],
    )
    assert.equal(gone.status, 200)
    assert.equal(after.live, undefined)
  })

  test('says when it is unwell', async () => {
    const client = testingClient({ health: async () => ({ ok: false, detail: 'the database does not answer' }) })

    const response = await client.raw('/v1/health')

    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), {
      status: 'unwell',
      version: '0.1.0',
      detail: 'the database does not answer',
    })
  })

  test('shuts down after its answer', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const client = testingClient({ shutdown: resolve })

    const response = await client.raw('/v1/shutdown', { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } })
    await promise

    assert.equal(response.status, 202)
  })
})

suite('the token', () => {
  test('is asked for by every route but health and the document, and by paths that do not exist', async () => {
    const client = testingClient()
    const document = documentSchema.parse(await (await client.raw('/openapi.json')).json())
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        path: path.replace('{fleet}', 'pakashop').replace('{environment}', 'staging').replace('{number}', '1'),
      })),
    )
    const closed = [...routes, { method: 'GET', path: '/v1/nothing' }].filter(({ path }) => path !== '/v1/health')

    for (const { method, path } of closed) {
      for (const authorization of [
        undefined,
        'Bearer wrong',
        `Basic ${TOKEN}`,
        `Bearer ${TOKEN}x`,
        `Bearer ${TOKEN.slice(1)}`,
        'Bearer ',
      ]) {
        const response = await client.raw(path, {
          method,
          headers: authorization === undefined ? {} : { authorization },
        })
        const { problems } = await failureOf(response)

        assert.equal(response.status, 401, `${method} ${path} with ${authorization}`)
        assert.equal(problems[0]?.code, 'server/unauthorized')
        assert.match(problems[0]?.hint ?? '', /DROVER_HOME/)
      }
    }
    assert.equal(closed.length, 16)
    assert.equal((await client.raw('/v1/health')).status, 200)
  })
})

suite('errors', () => {
  const refusals: [error: Refusal, status: number, outcome: string][] = [
    [new Refusal([problem('gate/frozen', 'environment staging', 'is frozen')]), 422, 'refused'],
    [new Refusal([problem('release/unknown-environment', 'x', 'is not there')]), 404, 'refused'],
    [new Refusal([problem('release/unknown', 'x', 'is not there')]), 404, 'refused'],
    [new Refusal([problem('release/plan-changed', 'x', 'has changed')]), 409, 'refused'],
    [new Refusal([problem('source/bad-ref', 'x', 'is odd')], 'usage'), 400, 'usage'],
    [new Refusal([problem('hosts/gone', 'x', 'went away')], 'failed-not-restored'), 500, 'failed-not-restored'],
    [new Refusal([problem('hosts/gone', 'x', 'went away')], 'failed-restored'), 500, 'failed-restored'],
  ]
  for (const [error, status, outcome] of refusals) {
    test(`${error.message} is ${status}`, async () => {
      const client = testingClient()
      const failing = testingClient({ controlPlane: { ...client.controlPlane, status: () => Promise.reject(error) } })

      const response = await failing.get(`${STAGING}/status`)

      const failure = await failureOf(response)
      assert.equal(response.status, status)
      assert.equal(failure.outcome, outcome)
      assert.deepEqual(failure.problems, error.problems)
    })
  }

  test('what nobody foresaw is told by a number that the log explains', async () => {
    const client = testingClient()
    const bug = new TypeError('cannot read postgres://drover:hunter2@db/x')
    const failing = testingClient({ controlPlane: { ...client.controlPlane, release: () => Promise.reject(bug) } })

    const response = await failing.get(`${STAGING}/releases/1`)

    const text = await response.text()
    const { incident, outcome } = failureSchema.parse(JSON.parse(text))
    assert.equal(response.status, 500)
    assert.equal(outcome, 'internal')
    assert.doesNotMatch(text, /TypeError|app\.test|postgres/)
    assert.match(failing.log.join('\n'), new RegExp(`${incident}.*TypeError.*app\\.test`, 's'))
    assert.doesNotMatch(failing.log.join('\n'), /hunter2/)
  })

  test('a refusal before the first event has its own status; one after it is the last event', async () => {
    const client = testingClient()
    const late = testingClient({
      controlPlane: {
        ...client.controlPlane,
        logs: async function* logs() {
          yield { host: 'local', service: 'config', slot: 'a', line: 'one' }
          throw new Refusal([problem('hosts/gone', 'host local', 'went away')])
        },
      },
    })

    const early = await client.get(`${STAGING}/logs?service=stranger`)
    const events = await eventsOf(await late.get(`${STAGING}/logs`))

    assert.equal(early.status, 404)
    assert.deepEqual(
      events.map((event) => event.event),
      ['line', 'failure'],
    )
    assert.equal(failureSchema.parse(events[1]?.data).problems[0]?.code, 'hosts/gone')
  })

  test('an unknown route is a problem too', async () => {
    const client = testingClient()

    const response = await client.get('/v1/nothing')

    assert.equal(response.status, 404)
    assert.equal((await failureOf(response)).problems[0]?.code, 'server/no-such-route')
  })
})

async function failureOf(response: Response): Promise<Failure> {
  return failureSchema.parse(await response.json())
}

function outcomeOf(data: unknown): string | undefined {
  const { body } = eventSchema.parse(data)
  return body.kind === 'ended' ? body.outcome : undefined
}

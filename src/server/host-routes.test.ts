import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { bootstrapPlanSchema, hostReportSchema } from './host-schemas.ts'
import { failureSchema } from './schemas.ts'
import { eventsOf, testingClient } from './testing-client.ts'

const HOST = {
  fleet: 'pakashop',
  name: 'bare-1',
  ssh: { destination: 'drover@10.0.0.1' },
  labels: ['web'],
  environments: [{ name: 'production', peers: [], ports: { gateway: 8000 }, languages: ['node'] }],
}

suite('hosts', () => {
  test('are looked at, planned for and made ready', async () => {
    const client = testingClient()

    const away = await client.post('/v1/hosts/look', { host: HOST })
    const plan = await client.post('/v1/hosts/plan', { host: HOST, as: 'admin' })
    const { hash } = bootstrapPlanSchema.parse(await plan.json())
    const events = await client.post('/v1/hosts/bootstrap', { host: HOST, as: 'admin', plan: hash })
    const told = await eventsOf(events)
    const ready = await client.post('/v1/hosts/look', { host: HOST })

    assert.equal(hostReportSchema.parse(await away.json()).reachable, false)
    assert.deepEqual(
      told.map(({ event }) => event),
      ['plan', 'begin', 'done', 'ended'],
    )
    assert.equal(hostReportSchema.parse(await ready.json()).ready, true)
  })

  test('are held to the plan that was shown', async () => {
    const client = testingClient()

    const response = await client.post('/v1/hosts/bootstrap', { host: HOST, as: 'admin', plan: 'f'.repeat(64) })

    assert.equal(response.status, 409)
    assert.equal(failureSchema.parse(await response.json()).problems[0]?.code, 'hosts/plan-changed')
  })

  const odd: [name: string, body: unknown][] = [
    ['a destination that is an option', { host: { ...HOST, ssh: { destination: '-oProxyCommand=sh' } } }],
    ['a login that is an option', { host: HOST, as: '-oProxyCommand=sh' }],
    ['a login with a command', { host: HOST, as: 'admin@$(id)' }],
    ['a name that ends a line of configuration', { host: { ...HOST, fleet: 'a;}\n' } }],
    ['a port of a service that is none', { host: environment({ ports: { gateway: '8000; }' } }) }],
    ['a service that is no name', { host: environment({ ports: { '../x': 80 } }) }],
    ['a root with dots', { host: environment({ root: '/srv/../etc' }) }],
    ['a field that nobody knows', { host: { ...HOST, sudo: true } }],
    ['a plan that is no hash', { host: HOST, plan: 'latest' }],
    ['a key with a line break', { host: HOST, keys: ['ssh-ed25519 AAAA\nssh-rsa BBBB'] }],
  ]
  for (const [name, body] of odd) {
    test(`${name} is a bad request`, async () => {
      const client = testingClient()

      const response = await client.post('/v1/hosts/bootstrap', body)

      assert.equal(response.status, 400)
      assert.equal(failureSchema.parse(await response.json()).outcome, 'usage')
    })
  }
})

function environment(change: object): object {
  return { ...HOST, environments: [{ ...HOST.environments[0], ...change }] }
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Refusal } from '../problem/problem.ts'
import { forEnvironment, storeAddress } from './environment.ts'
import { loadManifest } from './load.ts'

const { fleet } = await loadManifest(
  `
fleet: f
stores: { database: { kind: postgres } }
defaults: { variables: { FROM: defaults, LEVEL: defaults } }
environments:
  staging: { branch: main, ports: 1000, variables: { FROM: environment, DATABASE_URL: { secret: OTHER } } }
  production:
    branch: production
    variables: { FROM: environment }
    services: { backend: { variables: { FROM: environment of backend } } }
services:
  backend: { port: 3080, language: go, variables: { FROM: service, OWN: service } }
  worker: { language: go }
`,
  { file: 'drover.yaml' },
)

describe('an environment', () => {
  it('moves every port, slots included, and leaves a worker without one', () => {
    const { environment, services } = forEnvironment(fleet!, 'staging')

    assert.equal(environment.branch, 'main')
    assert.deepEqual(
      services.map(({ name, port, slotPorts }) => [name, port, slotPorts]),
      [
        ['backend', 4080, [14_080, 24_080]],
        ['worker', undefined, undefined],
      ],
    )
    assert.equal('port' in services[1]!, false)
  })

  it('merges variables: store, defaults, service, environment, its services', () => {
    const [backend, worker] = forEnvironment(fleet!, 'production').services

    assert.deepEqual(backend?.variables, {
      DATABASE_URL: { secret: 'DATABASE_URL' },
      FROM: 'environment of backend',
      LEVEL: 'defaults',
      OWN: 'service',
    })
    assert.deepEqual(worker?.variables, {
      DATABASE_URL: { secret: 'DATABASE_URL' },
      FROM: 'environment',
      LEVEL: 'defaults',
    })
  })

  it('says where a store is', () => {
    const [database] = fleet!.stores

    assert.deepEqual(storeAddress(forEnvironment(fleet!, 'staging').environment, database!), { secret: 'OTHER' })
    assert.deepEqual(storeAddress(forEnvironment(fleet!, 'production').environment, database!), {
      secret: 'DATABASE_URL',
    })
  })

  it('leaves the fleet as it was', () => {
    const before = JSON.stringify(fleet)

    forEnvironment(fleet!, 'staging')

    assert.equal(JSON.stringify(fleet), before)
  })

  it('that does not exist is refused with the near miss and the list', () => {
    assert.throws(
      () => forEnvironment(fleet!, 'prodution'),
      (error) => {
        assert.ok(error instanceof Refusal)
        assert.equal(
          error.message,
          'fleet f: there is no environment "prodution"\n  HINT: Did you mean production? The environments are staging, production.',
        )
        return true
      },
    )
  })
})

describe('placement', () => {
  it('is every host of the environment, those that a service names, or for what must not run twice the first of them', async () => {
    const { fleet: placed } = await loadManifest(
      `
fleet: f
hosts:
  edge: edge.example.org
  web-1: { ssh: a@web-1, labels: [web] }
  web-2: { ssh: a@web-2, labels: [web, jobs] }
  spare: spare.example.org
environments:
  staging: { branch: main, hosts: [web-2], ports: 1000 }
  production: { branch: production, hosts: [edge, web, web-1] }
defaults: { on: [web] }
services:
  backend: { port: 3080, language: go }
  gateway: { port: 8000, language: go, on: [edge, web-2, spare] }
  jobs: { port: 3004, language: go, singleton: true }
  mailer: { language: go, on: [jobs, web-1] }
`,
      { file: 'drover.yaml' },
    )

    const places = ['staging', 'production'].map((name) => {
      const { hosts, services } = forEnvironment(placed!, name)
      return [hosts.map((host) => host.name), ...services.map((service) => service.hosts)]
    })

    assert.deepEqual(places, [
      [['web-2'], ['web-2'], ['web-2'], ['web-2'], ['web-2']],
      [['edge', 'web-1', 'web-2'], ['web-1', 'web-2'], ['edge', 'web-2'], ['web-1'], ['web-1']],
    ])
  })

  it('decides the runtime: systemd wherever there is a host besides local', async () => {
    const { fleet: mixed } = await loadManifest(
      `
fleet: f
hosts: { web-1: a }
environments:
  here: { branch: main }
  there: { branch: main, hosts: [web-1] }
  both: { branch: main, hosts: [local, web-1], ports: 1000 }
  own: { branch: main, hosts: [web-1], ports: 2000, runtime: pm2 }
services: { backend: { port: 3080, language: go } }
`,
      { file: 'drover.yaml' },
    )

    assert.deepEqual(
      mixed!.environments.map(({ name, runtime }) => `${name}: ${runtime}`),
      ['here: pm2', 'there: systemd', 'both: systemd', 'own: pm2'],
    )
    assert.deepEqual(
      mixed!.hosts.map(({ name }) => name),
      ['local', 'web-1'],
    )
  })
})

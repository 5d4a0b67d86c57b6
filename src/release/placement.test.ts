import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { forEnvironment } from '../manifest/environment.ts'
import { loadManifest } from '../manifest/load.ts'
import { makePlan } from './plan.ts'
import type { HostState, Plan } from './plan.ts'
import { wantedServices } from './wanted.ts'

const MANIFEST = `
fleet: f
hosts:
  edge: edge.example.org
  web-1: { ssh: a@web-1, labels: [web] }
  web-2: { ssh: a@web-2, labels: [web] }
environments:
  one: { branch: main, hosts: [web-1] }
  three: { branch: main, hosts: [edge, web], ports: 1000 }
defaults: { on: [web] }
services:
  backend: { port: 3080, language: go, needs: [config] }
  config: { port: 3085, language: go, on: [edge, web] }
  jobs: { port: 3004, language: go, singleton: true, needs: [config] }
  mailer: { language: go }
`
const { fleet } = await loadManifest(MANIFEST, { file: 'drover.yaml' })

/** The plan of an environment whose hosts report this; the others run nothing. */
function planOf(environment: string, reports: Readonly<Record<string, HostState['live']>> = {}): Plan {
  const blueprint = { ...forEnvironment(fleet!, environment), stores: [], shared: [] }
  const versions = new Map(blueprint.services.map(({ name }) => [name, { inputs: `${name}-1` }]))
  const wanted = wantedServices({
    blueprint,
    order: { goal: 'deploy', repository: '/r' },
    versions,
    configs: new Map(),
    reasons: {},
    live: undefined,
  })
  const hosts = blueprint.hosts.map(({ name }): HostState => ({ host: name, live: reports[name] ?? {}, slots: [] }))
  return makePlan({ fleet: 'f', environment, goal: 'deploy', wanted, hosts })
}

/** What is started or stopped where, in the order of the plan. */
function placed(plan: Plan): string[] {
  return plan.steps
    .filter(({ kind }) => ['start', 'swap', 'leave', 'retire'].includes(kind))
    .map(({ kind, host, service, slot }) =>
      [kind, service, 'on', host, slot].filter((word) => word !== undefined).join(' '),
    )
}

describe('the plan of a manifest with placement', () => {
  it('has everything on the only host', () => {
    const plan = planOf('one')

    assert.deepEqual(placed(plan), [
      'start config on web-1 a',
      'start backend on web-1 a',
      'swap mailer on web-1 a',
      'swap jobs on web-1 a',
    ])
  })

  it('has each service on its hosts of three, and what must not run twice on one', () => {
    const plan = planOf('three')

    assert.deepEqual(placed(plan), [
      'start config on edge a',
      'start config on web-1 a',
      'start config on web-2 a',
      'start backend on web-1 a',
      'start backend on web-2 a',
      'swap mailer on web-1 a',
      'swap jobs on web-1 a',
    ])
    const backend = plan.steps.find(({ key }) => key === 'start:web-2:backend')
    assert.deepEqual(backend?.after, ['start:web-2:config'])
    assert.deepEqual(
      plan.steps.filter(({ kind }) => kind === 'switch').map(({ host }) => host),
      ['edge', 'web-1', 'web-2'],
    )
  })

  it('takes a service away from a host that it is not placed on', () => {
    const plan = planOf('three', { edge: { config: 'a', backend: 'b' } })

    assert.ok(placed(plan).includes('retire backend on edge b'))
    assert.ok(plan.services.find(({ service }) => service === 'backend')?.reasons.includes('no longer on edge'))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { forEnvironment } from '../manifest/environment.ts'
import { loadManifest } from '../manifest/load.ts'
import { readBlueprint, readMembers } from './older-records.ts'

const { fleet } = await loadManifest(
  `
fleet: f
environments: { production: { branch: main } }
services: { backend: { port: 3080, language: go } }
`,
  { file: 'drover.yaml' },
)
const { environment, services, hosts } = forEnvironment(fleet!, 'production')
const [backend] = services
const artifact = {
  service: 'backend',
  id: 'x',
  language: 'go',
  folder: '/x',
  cwd: '',
  start: 'x',
  environment: {},
  bytes: 1,
} as const

describe('a record of before there were hosts', () => {
  it('tells of services on this machine', () => {
    const { strategy: _strategy, ...older } = { ...environment, root: '/home/hosts/f/production' }
    const { hosts: _hosts, ...unplaced } = backend!
    const stored = JSON.stringify({ environment: older, services: [unplaced], stores: [], shared: [] })
    const members = JSON.stringify({ backend: { artifact, definition: unplaced, config: 'c', release: 1 } })

    const blueprint = readBlueprint(JSON.parse(stored))

    assert.deepEqual(blueprint.hosts, [{ name: 'local', labels: [], root: '/home/hosts/f/production' }])
    assert.deepEqual(blueprint.services, [backend])
    assert.equal(blueprint.environment.strategy, 'together')
    assert.deepEqual(readMembers(JSON.parse(members))['backend']?.definition, backend)
  })

  it('is told from one of today, which is read as it was written', () => {
    const blueprint = { environment, hosts, services, stores: [], shared: [] }

    assert.deepEqual(readBlueprint(structuredClone(blueprint)), blueprint)
  })
})

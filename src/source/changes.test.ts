import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { scratchRepository } from '../../test/scratch-repository.ts'
import type { ScratchRepository } from '../../test/scratch-repository.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { changedServices } from './changes.ts'
import type { Change, ServiceFiles } from './changes.ts'
import { openRepository } from './repository.ts'
import type { Repository } from './repository.ts'

const host = localHost()
let folder: string
let origin: ScratchRepository

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-changes-'))
  origin = scratchRepository()
})

afterEach(() => {
  origin.remove()
  rmSync(folder, { recursive: true, force: true })
})

function service(name: string, shared: readonly string[] = []): ServiceFiles {
  return { name, path: `services/${name}`, shared }
}

function open(): Promise<Repository> {
  return openRepository({ url: origin.folder, folder, host })
}

function shown(changes: readonly Change[]): unknown[] {
  return changes.map((change) => [change.service, change.status, change.reasons, change.sampleFiles])
}

describe('changed services', () => {
  it('says which, why and by which files', async () => {
    const before = origin.commit({
      'services/backend/server.js': '1',
      'services/backend/lib/a.js': '1',
      'services/backend-extra/x': '1',
      'services/coupon/server.js': '1',
      'services/fraud/server.js': '1',
      'services/gone/server.js': '1',
      'packages/common/index.js': '1',
      'README.md': '1',
    })
    const after = origin.commit({
      'services/backend/server.js': '2',
      'services/backend/lib/b.js': '1',
      'services/backend-extra/x': '1',
      'services/fresh/server.js': '1',
      'services/gone/server.js': undefined,
      'packages/common/index.js': '2',
      'README.md': '2',
    })
    const services = [
      service('backend'),
      service('coupon', ['packages/common']),
      service('fraud'),
      service('fresh'),
      service('gone'),
    ]

    const changes = await changedServices({
      services,
      fleetShared: ['tsconfig.json'],
      before,
      after,
      repository: await open(),
    })

    assert.deepEqual(shown(changes), [
      [
        'backend',
        'changed',
        ['services/backend: 2 files'],
        ['services/backend/lib/b.js', 'services/backend/server.js'],
      ],
      ['coupon', 'changed', ['shared packages/common: 1 file'], ['packages/common/index.js']],
      ['fraud', 'same', [], []],
      ['fresh', 'added', ['services/fresh: 1 file'], ['services/fresh/server.js']],
      ['gone', 'removed', ['services/gone: is not in the commit'], []],
    ])
  })

  it('counts what concerns every service, for a service at the root too', async () => {
    const before = origin.commit({ 'services/a/x': '1', 'package-lock.json': '1' })
    const after = origin.commit({ 'package-lock.json': '2' })
    const services = [service('a'), { name: 'root', path: '.', shared: [] }]

    const changes = await changedServices({
      services,
      fleetShared: ['package-lock.json'],
      before,
      after,
      repository: await open(),
    })

    assert.deepEqual(
      changes.map((change) => [change.status, change.reasons]),
      [
        ['changed', ['shared package-lock.json: 1 file']],
        ['changed', ['.: 1 file', 'shared package-lock.json: 1 file']],
      ],
    )
  })

  it('calls everything added when nothing is live, and changed when the live commit is gone', async () => {
    const after = origin.commit({ 'services/a/x': '1' })
    const services = [service('a'), service('b')]
    const repository = await open()

    const first = await changedServices({ services, fleetShared: [], before: undefined, after, repository })
    const lost = await changedServices({ services, fleetShared: [], before: 'b'.repeat(40), after, repository })

    assert.deepEqual(shown(first), [
      ['a', 'added', ['nothing was released before'], []],
      ['b', 'removed', ['services/b: is not in the commit'], []],
    ])
    assert.deepEqual(shown(lost)[0], [
      'a',
      'changed',
      ['commit bbbbbbbbbb, which is live, is no longer in the repository'],
      [],
    ])
  })

  it('asks git a fixed number of times, whatever the number of services', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `s${i}`)
    const before = origin.commit(Object.fromEntries(names.map((name) => [`services/${name}/f`, '1'])))
    const after = origin.commit({ 'services/s7/f': '2' })
    let calls = 0
    const counting = { ...host, run: (...args: Parameters<typeof host.run>) => (calls++, host.run(...args)) }
    const repository = await openRepository({ url: origin.folder, folder, host: counting })
    calls = 0

    const changes = await changedServices({
      services: names.map((name) => service(name)),
      fleetShared: [],
      before,
      after,
      repository,
    })

    assert.deepEqual(
      changes.filter((change) => change.status !== 'same').map((change) => change.service),
      ['s7'],
    )
    assert.ok(calls <= 8, `${calls} calls of git`)
  })
})

import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { buildService } from '../build-service.ts'
import type { BuildOrder } from '../build-service.ts'
import { refusalOf, startTrial, startedOutput } from '../trial.ts'
import type { Files, Trial, TrialOrder } from '../trial.ts'
import { nodeBuilder } from './builder.ts'
import { shopAt } from './trial-packages.ts'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.end())

function order(files: Files, more: Omit<TrialOrder, 'builder' | 'files'> = {}): BuildOrder {
  return trial.order({ builder: nodeBuilder, files, ...more })
}

function installs(): number {
  return trial.lines.filter((line) => line.startsWith('$ npm ci')).length
}

describe('dependencies of a Node service', () => {
  it('are installed once for the same lockfile, and laid by hard links', async () => {
    const first = await buildService(order(shopAt('services/shop')))
    const changed = { ...shopAt('services/shop'), 'services/shop/server.js': "console.log(require('greet'), 2)\n" }
    const other = shopAt('services/other')

    const second = await buildService(order(changed))
    const third = await buildService(order(other, { service: { name: 'other', path: 'services/other' } }))

    const files = [first, second, third].map(({ artifact }) =>
      join(artifact.folder, artifact.cwd, 'node_modules/greet/index.js'),
    )
    const inodes = await Promise.all(files.map(async (path) => (await stat(path)).ino))
    assert.equal(installs(), 1)
    assert.equal(new Set(inodes).size, 1)
    assert.equal(await startedOutput(second.artifact), 'hello from greet 2\n')
    assert.equal(await startedOutput(third.artifact), 'hello from greet\n')
    for (const { artifact } of [first, second, third]) assert.equal(await trial.store.verify(artifact), true)
  })

  it('need a lockfile, and one of npm', async () => {
    const { 'services/shop/package-lock.json': _, ...unlocked } = shopAt('services/shop')
    const yarn = { ...unlocked, 'services/shop/yarn.lock': '' }

    const refusals = await Promise.all([unlocked, yarn].map((files) => refusalOf(buildService(order(files)))))

    const [first, second] = refusals.map((refusal) => refusal.problems[0])
    assert.deepEqual([first?.code, second?.code], ['build/no-lockfile', 'build/no-lockfile'])
    assert.equal(first?.where.file, 'services/shop/package.json')
    assert.match(second?.hint ?? '', /yarn\.lock/)
  })

  it('are none of npm’s business when there are none', async () => {
    const files = { 'services/shop/package.json': '{"scripts":{"start":"node -p 1"}}' }

    const { artifact } = await buildService(order(files))

    assert.equal(await startedOutput(artifact), '1\n')
    assert.equal(installs(), 0)
  })

  it('refuses a package.json that is none', async () => {
    const broken = ['{', '[]', 'null', '"x"', '{"scripts":[1],"dependencies":"x","main":5}']

    const codes = await Promise.all(
      broken.map(
        async (text) =>
          (await refusalOf(buildService(order({ 'services/shop/package.json': text })))).problems[0]?.code,
      ),
    )

    assert.deepEqual(codes, [
      'build/bad-package',
      'build/bad-package',
      'build/bad-package',
      'build/bad-package',
      'build/no-start',
    ])
  })
})

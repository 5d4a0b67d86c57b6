import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { buildService } from '../build-service.ts'
import type { BuildOrder } from '../build-service.ts'
import { refusalOf, startTrial, startedOutput } from '../trial.ts'
import type { Files, Trial, TrialOrder } from '../trial.ts'
import { nodeBuilder } from './builder.ts'
import { greet, shopAt } from './trial-packages.ts'

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

async function modules(folder: string): Promise<string[]> {
  return (await readdir(join(folder, 'node_modules')).catch(() => [])).filter((name) => !name.startsWith('.')).sort()
}

const migrate = { command: 'tool', store: 'database', timeoutMs: 1000, lockTimeoutMs: 1000 }

describe('dependencies of a Node service', () => {
  it('come from the lockfile, without those for development', async () => {
    const { artifact } = await buildService(order(shopAt('services/shop')))

    assert.equal(await startedOutput(artifact), 'hello from greet\n')
    assert.deepEqual(await modules(join(artifact.folder, 'services/shop')), ['greet'])
    assert.deepEqual(artifact.environment, { NODE_ENV: 'production' })
    assert.equal(await trial.store.verify(artifact), true)
  })

  it('include those for development while a build command runs, in a copy of its own', async () => {
    const build = 'tool > built.txt; echo changed > node_modules/greet/index.js; echo 1 > node_modules/greet/more'
    await buildService(order(shopAt('services/shop'), { service: { build, start: 'cat built.txt' } }))

    const { artifact } = await buildService(
      order(shopAt('services/shop'), { service: { build: 'tool > built.txt', start: 'cat built.txt' } }),
    )

    assert.equal(await startedOutput(artifact), 'tool runs\n')
    assert.deepEqual(await modules(join(artifact.folder, 'services/shop')), ['greet'])
    assert.equal(
      readFileSync(join(artifact.folder, 'services/shop/node_modules/greet/index.js'), 'utf8'),
      "module.exports = 'hello from greet'\n",
    )
    assert.equal(installs(), 1)
  })

  it('include those for development in a service that migrates, whose tools they are', async () => {
    const plain = await buildService(order(shopAt('services/shop'), { service: { migrate } }))
    const built = await buildService(
      order(shopAt('services/shop'), { service: { migrate, build: 'tool > built.txt' } }),
    )

    for (const { artifact } of [plain, built]) {
      assert.deepEqual(await modules(join(artifact.folder, 'services/shop')), ['greet', 'tool'])
    }
  })

  it('are on PATH for the start command', async () => {
    const { artifact } = await buildService(order(shopAt('services/shop'), { service: { start: 'greet --now' } }))

    assert.equal(await startedOutput(artifact), 'greet runs\n')
  })

  it('may lie at the root of the repository', async () => {
    const root = Object.fromEntries(Object.entries(shopAt('x')).map(([path, content]) => [path.slice(2), content]))
    const files: Files = {
      ...root,
      'services/shop/server.js': "console.log('root:', require('greet'))\n",
      'services/shop/package.json': '{"main":"server"}',
    }
    const shared = ['package.json', 'package-lock.json', 'greet.tgz', 'tool.tgz']

    const { artifact } = await buildService(order(files, { shared }))

    assert.equal(await startedOutput(artifact), 'root: hello from greet\n')
  })

  it('may be workspaces: only this one is needed, and links to others hold', async () => {
    const workspace = (name: string, more = {}): string => JSON.stringify({ name, version: '1.0.0', ...more })
    const shopManifest = {
      scripts: { start: 'node server.js' },
      dependencies: { lib: '1.0.0', greet: 'file:../../greet.tgz' },
    }
    const lock = {
      name: 'root',
      lockfileVersion: 3,
      packages: {
        '': { name: 'root', workspaces: ['services/*', 'packages/*'] },
        'node_modules/greet': greet.locked,
        'node_modules/lib': { resolved: 'packages/lib', link: true },
        'node_modules/shop': { resolved: 'services/shop', link: true },
        'node_modules/other': { resolved: 'services/other', link: true },
        'packages/lib': { version: '1.0.0' },
        'services/shop': { name: 'shop', version: '1.0.0', dependencies: shopManifest.dependencies },
        'services/other': { name: 'other', version: '1.0.0' },
      },
    }
    const files: Files = {
      'package.json': JSON.stringify({ name: 'root', private: true, workspaces: ['services/*', 'packages/*'] }),
      'package-lock.json': JSON.stringify(lock),
      'greet.tgz': greet.bytes,
      'packages/lib/package.json': workspace('lib'),
      'packages/lib/index.js': "module.exports = 'lib'\n",
      'services/shop/package.json': workspace('shop', shopManifest),
      'services/shop/server.js': "console.log(require('lib'), require('greet'))\n",
    }
    const shared = ['package.json', 'package-lock.json', 'greet.tgz', 'packages/lib']

    const { artifact } = await buildService(order(files, { shared }))
    const again = await buildService(
      order({ ...files, 'packages/lib/index.js': "module.exports = 'new'\n" }, { shared }),
    )

    assert.equal(await startedOutput(artifact), 'lib hello from greet\n')
    assert.equal(await startedOutput(again.artifact), 'new hello from greet\n')
    assert.equal(installs(), 1)
  })

  it('are installed in place when the package has install scripts of its own', async () => {
    const files = shopAt('services/shop', {
      scripts: { start: 'cat made.txt', postinstall: 'cat server.js > made.txt' },
    })

    const one = await buildService(order(files))
    const two = await buildService(order({ ...files, 'services/shop/server.js': 'changed' }))

    assert.match(await startedOutput(one.artifact), /require/)
    assert.equal(await startedOutput(two.artifact), 'changed')
  })

  it('need a lockfile that fits, and npm’s reason is shown', async () => {
    const misfit = shopAt('services/shop', { dependencies: { greet: 'file:greet.tgz', extra: 'file:tool.tgz' } })

    const refusal = await refusalOf(buildService(order(misfit)))

    assert.equal(refusal.problems[0]?.code, 'build/failed')
    assert.match(refusal.problems[0]?.hint ?? '', /Missing: (tool|extra)@/)
  })
})

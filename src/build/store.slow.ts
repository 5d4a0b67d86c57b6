import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeBuilder } from './node/builder.ts'
import { shopAt } from './node/trial-packages.ts'
import { buildService } from './build-service.ts'
import type { BuildOrder } from './build-service.ts'
import { openArtifactStore } from './store.ts'
import { layFiles, refusalOf, startTrial, startedOutput } from './trial.ts'
import type { Trial, TrialOrder } from './trial.ts'

let trial: Trial
const children = new Set<ChildProcess>()

beforeEach(async () => {
  trial = await startTrial()
  await layFiles(join(trial.folder, 'commit'), shopAt('services/shop'))
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await trial.end()
})

/** Another Drover process that builds the service of the trial's commit. */
function builderProcess(version: string, build: string): ChildProcess {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    import { cp } from 'node:fs/promises'
    import { buildService } from ${at('build-service.ts')}
    import { openArtifactStore } from ${at('store.ts')}
    import { nodeBuilder } from ${at('node/builder.ts')}
    import { localHost } from ${at('../hosts/local/local-host.ts')}
    await buildService({
      service: { name: 'shop', path: 'services/shop', language: 'node', build: ${JSON.stringify(build)} },
      trees: new Map([['services/shop', ${JSON.stringify(version)}]]),
      builder: nodeBuilder,
      store: await openArtifactStore(${JSON.stringify(trial.store.folder)}),
      host: localHost(),
      checkout: (folder) => cp(${JSON.stringify(join(trial.folder, 'commit'))}, folder, { recursive: true }),
    })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  children.add(child)
  return child
}

/** Small and good enough (mulberry32); the seed makes a failure repeatable. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

describe('a store that several processes share', () => {
  it('builds the same inputs once', async () => {
    const counter = join(trial.folder, 'count')
    const build = `echo built >> ${counter}; sleep 1`

    const ends = await Promise.all(Array.from({ length: 4 }, () => once(builderProcess('v1', build), 'exit')))

    assert.deepEqual(
      ends,
      Array.from({ length: 4 }, () => [0, null]),
    )
    assert.equal(await readFile(counter, 'utf8'), 'built\n')
  })

  it('is whole after any number of kills', async (context) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
    context.diagnostic(`SEED=${seed}`)
    const random = randomFrom(seed)
    for (let round = 0; round < 12; round++) {
      const child = builderProcess(`v${round % 3}`, 'echo x > made')
      await sleep(random() * 2500)
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }

    const store = await openArtifactStore(trial.store.folder)
    const inputs = trial.order({
      builder: nodeBuilder,
      files: shopAt('services/shop'),
      service: { build: 'echo x > made' },
    })
    const { artifact } = await buildService({ ...inputs, store, trees: new Map([['services/shop', 'v0']]) })

    assert.deepEqual(await readdir(join(store.folder, 'tmp')), [], `SEED=${seed}`)
    assert.equal(await store.verify(artifact), true, `SEED=${seed}`)
    assert.equal(await startedOutput(artifact), 'hello from greet\n', `SEED=${seed}`)
    for (const id of await readdir(join(store.folder, 'artifacts/shop'))) {
      const found = await store.get('shop', id)
      assert.ok(found !== undefined && (await store.verify(found)), `SEED=${seed}: ${id} is not whole`)
    }
  })
})

describe(
  'a store on a disk that is full',
  { skip: process.getuid?.() === 0 ? false : 'only root may mount a small one' },
  () => {
    let disk: string

    beforeEach(async () => {
      disk = join(trial.folder, 'disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    })
    afterEach(() => {
      execFileSync('umount', [disk])
    })

    it('says so, and works again when there is space', async () => {
      const store = await openArtifactStore(join(disk, 'store'))
      const large = { ...shopAt('services/shop'), 'services/shop/data': Buffer.alloc(700_000) }
      const at = (order: Omit<TrialOrder, 'builder'>): BuildOrder => ({
        ...trial.order({ builder: nodeBuilder, ...order }),
        store,
      })
      const grow = 'head -c 600000 /dev/zero > more'

      const byCheckout = await refusalOf(
        buildService(at({ files: { ...large, 'services/shop/data': Buffer.alloc(2_000_000) } })),
      )
      const byBuild = await refusalOf(buildService(at({ files: large, service: { build: grow } })))
      const { artifact } = await buildService(at({ files: large }))

      assert.deepEqual(
        [byCheckout.problems[0]?.code, byBuild.problems[0]?.code],
        ['build/disk-full', 'build/disk-full'],
      )
      assert.equal(await store.verify(artifact), true)
      assert.deepEqual(await readdir(join(store.folder, 'tmp')), [])
    })
  },
)

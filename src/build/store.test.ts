import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { takeInventory } from '../hosts/inventory/take-inventory.ts'
import { buildService, lookUp } from './build-service.ts'
import type { BuildOrder } from './build-service.ts'
import { commandBuilder } from './command/builder.ts'
import { openArtifactStore } from './store.ts'
import { refusalOf, startTrial, startedOutput } from './trial.ts'
import type { Trial } from './trial.ts'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.end())

function order(word: string): BuildOrder {
  const service = { build: `echo ${word} > out`, start: 'cat out' }
  return trial.order({ builder: commandBuilder, files: { 'services/shop/readme': '' }, service })
}

/** Builds in a process of its own that kills itself, with no chance to tidy up, in the middle of the build. */
async function buildAndDie(folder: string): Promise<void> {
  const script = `
    import { openArtifactStore } from ${JSON.stringify(new URL('store.ts', import.meta.url).href)}
    import { commandBuilder } from ${JSON.stringify(new URL('command/builder.ts', import.meta.url).href)}
    import { buildService } from ${JSON.stringify(new URL('build-service.ts', import.meta.url).href)}
    import { localHost } from ${JSON.stringify(new URL('../hosts/local/local-host.ts', import.meta.url).href)}
    await buildService({
      service: { name: 'shop', path: '.', language: 'command', build: 'echo half > out; echo there', start: 'cat out' },
      trees: new Map([['.', 'v1']]),
      builder: commandBuilder,
      store: await openArtifactStore(${JSON.stringify(folder)}),
      host: localHost(),
      checkout: async () => {},
      onLine: (line) => line === 'there' && process.kill(process.pid, 'SIGKILL'),
    })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
}

describe('artifact store', () => {
  it('takes up where a killed process left off, whose half build is gone', async () => {
    await buildAndDie(trial.store.folder)
    const left = await readdir(join(trial.store.folder, 'tmp'))
    const store = await openArtifactStore(trial.store.folder)
    const swept = await readdir(join(trial.store.folder, 'tmp'))
    const same: BuildOrder = {
      ...trial.order({ builder: commandBuilder, files: { out: 'x' }, service: { path: '.', start: 'cat out' } }),
      service: { name: 'shop', path: '.', language: 'command', build: 'echo half > out; echo there', start: 'cat out' },
      trees: new Map([['.', 'v1']]),
      store,
    }

    const before = (await lookUp(same)).artifact
    const { how, artifact } = await buildService(same)

    assert.equal(left.length, 1)
    assert.deepEqual(swept, [])
    assert.equal(before, undefined)
    assert.equal(how, 'built')
    assert.equal(await startedOutput(artifact), 'half\n')
  })

  it('leaves builds of living processes alone when it is opened', async () => {
    const scratch = await trial.store.scratch()

    const other = await openArtifactStore(trial.store.folder)

    assert.deepEqual(await readdir(join(other.folder, 'tmp')), [scratch.split('/').at(-1)])
  })

  it('keeps equal content once, for different inputs', async () => {
    const one = await buildService(order('same'))
    const two = await buildService({ ...order('same'), trees: new Map([['services/shop', 'another version']]) })

    assert.deepEqual([one.how, two.how], ['built', 'built'])
    assert.deepEqual(two.artifact, one.artifact)
    assert.equal((await readdir(join(trial.store.folder, 'artifacts/shop'))).length, 1)
  })

  it('builds again what is not whole', async () => {
    const { artifact } = await buildService(order('a'))
    for (const damage of [
      () => rm(join(artifact.folder, '../artifact.json')),
      () => writeFile(join(artifact.folder, '../artifact.json'), '{"service":"sh'),
      () => writeFile(join(artifact.folder, '../artifact.json'), ''),
      () =>
        rm(join(trial.store.folder, 'artifacts'), { recursive: true }).then(() =>
          mkdir(join(trial.store.folder, 'artifacts')),
        ),
    ]) {
      await damage()

      const again = await buildService(order('a'))

      assert.equal(again.how, 'built')
      assert.deepEqual(again.artifact, artifact)
    }
  })

  it('notices that an artifact is not what its name says', async () => {
    const { artifact } = await buildService(order('a'))

    const sound = await trial.store.verify(artifact)
    await appendFile(join(artifact.folder, 'services/shop/out'), ' ')

    assert.deepEqual([sound, await trial.store.verify(artifact)], [true, false])
  })

  it('knows what an artifact holds, and believes its record only when that gives its name', async () => {
    const { artifact } = await buildService(order('a'))
    const inventory = await trial.store.inventoryOf(artifact)
    assert.deepEqual(inventory, await takeInventory(artifact.folder))
    for (const damage of ['', 'd other\0', `${inventory.records[0]}\0`]) {
      await writeFile(join(artifact.folder, '../inventory'), damage)

      assert.deepEqual(await trial.store.inventoryOf(artifact), inventory)
    }
    await appendFile(join(artifact.folder, 'services/shop/out'), ' ')

    assert.equal((await refusalOf(trial.store.inventoryOf(artifact))).problems[0]?.code, 'build/altered')
  })

  it('gives the folder of what it has, and says what it has not', async () => {
    const { artifact } = await buildService(order('a'))

    assert.equal(await trial.store.folderOf(artifact), artifact.folder)
    assert.deepEqual(await trial.store.get('shop', artifact.id), artifact)
    const refusal = await refusalOf(trial.store.folderOf({ service: 'shop', id: 'f'.repeat(20) }))
    assert.equal(refusal.problems[0]?.code, 'build/no-artifact')
  })

  it('prunes what is neither kept nor young', async () => {
    const [kept, old, young] = await Promise.all(
      ['kept', 'old', 'young'].map(async (word) => (await buildService(order(word))).artifact),
    )
    assert.ok(kept && old && young)
    const longAgo = new Date(Date.now() - 100_000)
    for (const artifact of [kept, old]) await utimes(join(artifact.folder, '../artifact.json'), longAgo, longAgo)

    const removed = await trial.store.prune({ keep: [kept], unusedMs: 50_000 })

    assert.deepEqual(removed, { artifacts: 1, layers: 0 })
    const left = await Promise.all(
      [kept, old, young].map(async ({ id }) => (await trial.store.get('shop', id)) !== undefined),
    )
    assert.deepEqual(left, [true, false, true])
    assert.equal((await buildService(order('old'))).how, 'built')
  })
})

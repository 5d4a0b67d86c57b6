import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../../hosts/host.ts'
import type { SlotSpec } from '../runtime.ts'
import { fence, killPm2, look, pm2Bench, pm2Program, ready, statesOf, until } from './pm2-bench.ts'
import type { Pm2Bench } from './pm2-bench.ts'
import { pm2Runtime } from './pm2-runtime.ts'
import { renderSpec } from '../laid-spec.ts'
import { renderLauncher, slotFiles } from './slot-files.ts'

describe('PM2: deaths', () => {
  test('slots outlive a PM2 that is killed, are told truthfully, and can be stopped and started', async (t) => {
    const bench = await pm2Bench(t)
    const [stays, goes] = [await bench.spec('stays', 'serves'), await bench.spec('goes', 'serves')]
    await bench.runtime.start(bench.host, fence(bench), [stays, goes])
    await Promise.all([ready(bench, stays), ready(bench, goes)])
    const before = await look(bench, stays)

    await killPm2(bench)
    const after = await look(bench, stays)
    await bench.runtime.stop(bench.host, fence(bench), [goes])
    const next = await bench.spec('next', 'serves')
    await bench.runtime.start(bench.host, fence(bench), [next, goes, stays])
    await Promise.all([ready(bench, next), ready(bench, goes)])

    assert.deepEqual(after, before)
    assert.deepEqual(await look(bench, stays), before)
    assert.deepEqual(await statesOf(bench, [stays, goes, next]), ['running', 'running', 'running'])
  })

  test('what runs in a slot is replaced though PM2 has died', async (t) => {
    const bench = await pm2Bench(t)
    const [old, next] = [await bench.spec('api', 'works'), await bench.spec('api', 'works', { artifact: 'next' })]
    await bench.runtime.start(bench.host, fence(bench), [old])
    const { pid } = await look(bench, old)
    await killPm2(bench)

    await bench.runtime.start(bench.host, fence(bench), [next])

    const report = await look(bench, next)
    assert.deepEqual([report.state, report.artifact, report.restarts], ['running', 'next', 0])
    assert.notEqual(report.pid, pid)
    assert.equal((await bench.processes()).filter(({ kind }) => kind === 'slot').length, 1)
  })

  test('a start that was cut off after it had laid a spec is done again', async (t) => {
    const bench = await pm2Bench(t)
    const [old, next] = [await bench.spec('api', 'works'), await bench.spec('api', 'works', { artifact: 'next' })]
    await bench.runtime.start(bench.host, fence(bench), [old])
    const before = await look(bench, old)
    const files = slotFiles(bench.root, next)
    await writeFile(files.spec, renderSpec(next))
    await writeFile(files.run, renderLauncher(bench.root, next))

    const cut = await look(bench, next)
    await bench.runtime.start(bench.host, fence(bench), [next])

    const after = await look(bench, next)
    assert.deepEqual([cut.state, cut.pid, cut.artifact], ['running', before.pid, undefined])
    assert.deepEqual([after.state, after.artifact, after.restarts], ['running', 'next', 0])
    assert.notEqual(after.pid, before.pid)
  })

  test('a slot that died together with its PM2 is crashed, not running', async (t) => {
    const bench = await pm2Bench(t)
    const spec = await bench.spec('worker', 'works')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const { pid } = await look(bench, spec)

    await killPm2(bench)
    process.kill(pid ?? 0, 'SIGKILL')
    await until(async () => (await look(bench, spec)).state !== 'running')

    assert.equal((await look(bench, spec)).state, 'crashed')
  })

  test('a teardown ends a PM2 that hangs', async (t) => {
    const bench = await pm2Bench(t)
    const spec = await bench.spec('worker', 'works')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const { pid } = (await bench.processes()).find(({ kind }) => kind === 'pm2') ?? { pid: 0 }
    process.kill(pid, 'SIGSTOP')

    await bench.runtime.teardown(bench.host, fence(bench))

    await until(async () => (await bench.processes()).length === 0)
    assert.deepEqual(
      (await readdir(bench.root)).filter((name) => name === 'pm2' || name === 'slots'),
      [],
    )
  })

  const deaths = {
    'whose commands are killed': (bench: Pm2Bench, specs: readonly SlotSpec[], delayMs: number): Promise<unknown> => {
      const signal = AbortSignal.timeout(delayMs)
      const host: Host = { ...bench.host, run: (command, options) => bench.host.run(command, { ...options, signal }) }
      const number = specs[0]?.release ?? 0
      return pm2Runtime({ program: pm2Program() }).start(host, fence(bench, number), specs)
    },
    'whose Drover is killed': startInAnotherDrover,
  }
  for (const [manner, start] of Object.entries(deaths)) {
    test(`a start ${manner} at any moment and that is repeated ends with every slot running once`, async (t) => {
      const seed = Date.now() % 100_000
      t.diagnostic(`seed ${seed}`)
      const bench = await pm2Bench(t)
      const chance = randomNumbers(seed)
      for (let round = 1; round <= 6; round += 1) {
        const options = { artifact: `round${round}`, release: round }
        const specs = await Promise.all(['p', 'q'].map((service) => bench.spec(service, 'works', options)))

        await start(bench, specs, 30 + chance(700)).catch(() => {})
        await bench.runtime.start(bench.host, fence(bench, round), specs)

        const reports = await bench.runtime.observe(bench.host, bench.root, specs)
        assert.deepEqual(
          reports.map(({ state, artifact, restarts }) => [state, artifact, restarts]),
          specs.map((spec) => ['running', spec.artifact, 0]),
        )
        await sleep(300)
        const alive = (await bench.processes()).filter(({ kind }) => kind === 'slot').map(({ pid }) => pid)
        assert.deepEqual(new Set(alive), new Set(reports.map(({ pid }) => pid)), `round ${round}`)
      }
    })
  }
})

/** Starts slots from a process of its own and kills that process. */
async function startInAnotherDrover(bench: Pm2Bench, specs: readonly SlotSpec[], delayMs: number): Promise<unknown> {
  const source = `
    import { localHost } from ${JSON.stringify(new URL('../../hosts/local/local-host.ts', import.meta.url).href)}
    import { pm2Runtime } from ${JSON.stringify(new URL('pm2-runtime.ts', import.meta.url).href)}
    console.log('begins')
    const [fence, specs] = ${JSON.stringify([fence(bench, specs[0]?.release ?? 0), specs])}
    await pm2Runtime({ program: ${JSON.stringify(pm2Program())} }).start(localHost(), fence, specs)`
  const drover = spawn(process.execPath, ['--input-type=module-typescript', '--eval', source], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(drover.stdout, 'data')
  await sleep(delayMs)
  const ended = drover.exitCode === null ? once(drover, 'exit') : undefined
  drover.kill('SIGKILL')
  return ended
}

/** The same numbers for the same seed, from 0 to below the limit. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed + 1
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

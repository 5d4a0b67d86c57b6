import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { quote } from '../../src/hosts/host.ts'
import { freePorts } from '../fleet/small-fleet.ts'
import { answers, carryOut, liveSet, optionsFor, storyBench } from './bench.ts'

describe('a host that is not as it should be', { concurrency: false }, () => {
  it('has strangers on the ports of slots and services: they are named, and stay', { timeout: 180_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '300ms' })
    const control = await bench.open()

    const onStablePort = await stranger(t, bench.fleet.ports['shop']!)
    const first = await carryOut(control, bench.deploy)
    await close(onStablePort)
    const second = await carryOut(control, bench.deploy)
    const before = await answers(bench.fleet)
    const traffic = bench.trickle()
    const onSlot = await stranger(t, await portOfSlotB(bench.fleet.folder, 'shop'))
    await bench.fleet.commit({ shop: { version: '2' }, gateway: { version: '2' }, jobs: { version: '2' } })
    const third = await carryOut(control, bench.deploy)

    assert.equal(first.release.outcome, 'restored')
    assert.equal(first.release.problems[0]?.code, 'routers/port-taken')
    assert.match(first.release.problems[0].what, new RegExp(`${bench.fleet.ports['shop']} .*\\b${process.pid}\\b`))
    assert.equal(second.release.outcome, 'kept')
    assert.equal(third.release.outcome, 'restored')
    assert.equal(third.release.problems[0]?.code, 'runtimes/port-taken')
    assert.equal(third.release.problems[0].where.at, 'host local, shop.b')
    assert.match(third.release.problems[0].what, new RegExp(`\\b${process.pid}\\b`), 'the holder is not named')
    assert.ok(onSlot.listening)
    assert.deepEqual(await answers(bench.fleet), before)
    assert.equal(await liveSet(bench.home), 'r2')

    await t.test('nor does a release take the ports of what is live: refused, each with a way out', async () => {
      const [stable, slotA, slotB] = await freePorts(3)
      await bench.fleet.rewrite((manifest) =>
        manifest
          .replace(/shop: \{ port: \d+/, `shop: { port: ${stable}`)
          .replace(/(gateway: .*slots: )\[.*?\]/, `$1[${slotA}, ${slotB}]`),
      )
      await bench.fleet.commit({})

      const { release } = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'refused')
      assert.deepEqual(
        new Map(release.problems.map(({ code, where, what }) => [`${code} ${where.at}`, /\d+$/.exec(what)?.[0]])),
        new Map([
          ['release/port-moves service shop', String(stable)],
          ['release/port-moves service gateway', String(slotA)],
        ]),
      )
    })

    assert.deepEqual((await traffic.stop()).failed, [])
    assert.deepEqual(await answers(bench.fleet), before)
  })

  it(
    'has an nginx that refuses the file: the release fails in its words, before the switch',
    { timeout: 120_000 },
    async (t) => {
      const bench = await storyBench(t, { watch: '300ms' })
      const directive = join(bench.folder, 'directive')
      const control = await bench.open({
        programs: { ...optionsFor(bench.home).programs, nginx: await stubbornNginx(bench.folder, directive) },
      })
      await carryOut(control, bench.deploy)
      const before = await answers(bench.fleet)
      const traffic = bench.trickle()
      // Another port of the slot that is not live is another shape of the router, which nginx has to read.
      const [port] = await freePorts(1)
      await bench.fleet.rewrite((manifest) => manifest.replace(/(shop: .*slots: \[\d+, )\d+/, `$1${port}`))
      await bench.fleet.commit({ gateway: { version: '2' } })

      await writeFile(directive, 'no_such_directive on;')
      const refused = await carryOut(control, bench.deploy)
      const meanwhile = await answers(bench.fleet)
      await rm(directive)
      const accepted = await carryOut(control, bench.deploy)

      assert.equal(refused.release.outcome, 'restored')
      assert.equal(refused.release.problems[0]?.code, 'routers/refused')
      assert.match(refused.release.problems[0].what, /\[emerg\].*unknown directive "no_such_directive"/)
      assert.equal(refused.release.switchedAt, undefined)
      assert.deepEqual(meanwhile, before)
      assert.equal(accepted.release.outcome, 'kept')
      assert.equal((await answers(bench.fleet))['gateway']!.version, '2')
      assert.deepEqual((await traffic.stop()).failed, [])
    },
  )
})

async function stranger(t: TestContext, port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return server
}

async function close(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

async function portOfSlotB(folder: string, service: string): Promise<number> {
  const manifest = await readFile(join(folder, 'drover.yaml'), 'utf8')
  return Number(new RegExp(`^  ${service}: .*slots: \\[\\d+, (\\d+)\\]`, 'm').exec(manifest)?.[1])
}

/** The real nginx with one directive more, for as long as that file is there. */
async function stubbornNginx(folder: string, directive: string): Promise<string> {
  const real = execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin; command -v nginx'], { encoding: 'utf8' }).trim()
  const program = join(folder, 'nginx')
  const more = `if [ -e ${quote(directive)} ]; then set -- "$@" -g "$(cat ${quote(directive)})"; fi`
  await writeFile(program, `#!/bin/sh\n${more}\nexec ${quote(real)} "$@"\n`)
  await chmod(program, 0o755)
  return program
}

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
import { freePorts } from '../free-ports.ts'
import { answers, carryOut, liveSet, optionsFor, storyBench } from './bench.ts'

describe('a host that is not as it should be', { concurrency: false }, () => {
  it('is met before the switch, with words that help, and users notice nothing', { timeout: 240_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '300ms' })
    const directive = join(bench.folder, 'directive')
    const control = await bench.open({
      programs: { ...optionsFor(bench.home).programs, nginx: await stubbornNginx(bench.folder, directive) },
    })

    await t.test('a stranger on the port of a service', async () => {
      const port = bench.fleet.ports['shop']!
      const server = await stranger(t, port)
      const { release } = await carryOut(control, bench.deploy)
      await close(server)
      const next = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'restored')
      assert.equal(release.problems[0]?.code, 'routers/port-taken')
      assert.match(release.problems[0].what, new RegExp(`${port} .*\\b${process.pid}\\b`), 'the holder is not named')
      assert.equal(next.release.outcome, 'kept')
    })
    const before = await answers(bench.fleet)
    const traffic = bench.trickle()

    await t.test('a stranger on the port of a slot', async () => {
      const server = await stranger(t, await portOfSlotB(bench.fleet.folder, 'shop'))
      await bench.fleet.commit({ shop: { version: '2' }, gateway: { version: '2' }, jobs: { version: '2' } })

      const { release } = await carryOut(control, bench.deploy)

      assert.ok(server.listening)
      await close(server)
      assert.equal(release.outcome, 'restored')
      assert.equal(release.problems[0]?.code, 'runtimes/port-taken')
      assert.equal(release.problems[0].where.at, 'host local, shop.b')
      assert.match(release.problems[0].what, new RegExp(`\\b${process.pid}\\b`), 'the holder is not named')
      assert.deepEqual(await answers(bench.fleet), before)
      assert.equal(await liveSet(bench.home), 'r2')
    })

    await t.test('an nginx that refuses the file', async () => {
      // Another port of the slot that is not live is another shape of the router, which nginx has to read.
      const [port] = await freePorts(1)
      await bench.fleet.rewrite((manifest) => manifest.replace(/(shop: .*slots: \[\d+, )\d+/, `$1${port}`))
      await bench.fleet.commit({ shop: { version: '3' } })

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
      assert.equal((await answers(bench.fleet))['shop']!.version, '3')
    })

    await t.test('a manifest that moves the ports of what is live: refused, each with a way out', async () => {
      const [stable, slotA, slotB] = await freePorts(3)
      await bench.fleet.rewrite((manifest) =>
        manifest
          .replace(/config: \{ port: \d+/, `config: { port: ${stable}`)
          .replace(/(shop: .*slots: )\[.*?\]/, `$1[${slotA}, ${slotB}]`),
      )
      await bench.fleet.commit({})
      const live = await answers(bench.fleet)

      const { release } = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'refused')
      assert.deepEqual(
        new Map(release.problems.map(({ where, what }) => [where.at, /\d+$/.exec(what)?.[0]])),
        new Map([
          ['service config', String(stable)],
          // It is live in slot b now.
          ['service shop', String(slotB)],
        ]),
      )
      assert.ok(release.problems.every(({ code }) => code === 'release/port-moves'))
      assert.deepEqual(await answers(bench.fleet), live)
    })

    assert.deepEqual((await traffic.stop()).failed, [])
  })
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

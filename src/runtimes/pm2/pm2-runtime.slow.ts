import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import { runtimeConformance } from '../conformance.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { pm2Home } from './home.ts'
import { codeOf, fence, look, pm2Bench, pm2Program, ready, statesOf, until } from './pm2-bench.ts'
import type { Pm2Bench } from './pm2-bench.ts'
import { pm2Runtime } from './pm2-runtime.ts'
import { slotFiles } from './slot-files.ts'

runtimeConformance('PM2', (t) => pm2Bench(t))

describe('PM2: processes', () => {
  test('children are gone after a stop, however they hid', async (t) => {
    const bench = await pm2Bench(t)
    // In turn: below the service, in a session of its own, without the mark in the environment, orphaned.
    const hide =
      'sleep 600 & setsid sleep 601 & env -i sleep 602 & (setsid sleep 603 &) ; (env -i sleep 604 &) ; sleep 605'
    const spec = await bench.custom('mother', hide)
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await until(async () => (await sleepers(bench)).length === 6)
    const before = await sleepers(bench)

    await bench.runtime.stop(bench.host, fence(bench), [spec])

    assert.deepEqual(before, ['600', '601', '602', '603', '604', '605'])
    assert.deepEqual(await sleepers(bench), [])
  })

  test('a service that exits later is started again and counted', async (t) => {
    const bench = await pm2Bench(t)
    const spec = { ...(await bench.custom('weak', 'node server.cjs exits-later')), variables: { PORT: '0' } }
    await bench.runtime.start(bench.host, fence(bench), [spec])

    await until(async () => (await look(bench, spec)).restarts >= 2)
    await bench.runtime.stop(bench.host, fence(bench), [spec])
    const stopped = await look(bench, spec)
    await sleep(1500)

    assert.equal(stopped.state, 'stopped')
    assert.deepEqual(await look(bench, spec), stopped)
    assert.deepEqual(
      (await bench.processes()).filter(({ kind }) => kind === 'slot'),
      [],
    )
  })

  test('a service that may not be started again stays down', async (t) => {
    const bench = await pm2Bench(t)
    const spec = { ...(await bench.spec('once', 'exits')), restart: false }
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await until(async () => (await look(bench, spec)).state === 'crashed')

    await sleep(1000)

    const report = await look(bench, spec)
    assert.deepEqual([report.state, report.restarts], ['crashed', 0])
  })

  test('a service that hangs is never ready, and stops', async (t) => {
    const bench = await pm2Bench(t)
    const spec = { ...(await bench.custom('hung', 'node server.cjs hangs')), port: 1, drainMs: 500 }
    await bench.runtime.start(bench.host, fence(bench), [{ ...spec, port: await unusedPort(bench) }])

    const code = await codeOf(ready(bench, spec, 800))
    await bench.runtime.stop(bench.host, fence(bench), [spec])

    assert.equal(code, 'runtimes/never-ready')
    assert.equal((await look(bench, spec)).state, 'stopped')
  })

  test('a start line may be more than one command', async (t) => {
    const bench = await pm2Bench(t)
    const lines = ['A=1 sleep 611', 'cd .. && sleep 612', 'sleep 613; sleep 614', 'exec sleep 615']
    const specs = await Promise.all(lines.map((line, index) => bench.custom(`line${index}`, line)))

    await bench.runtime.start(bench.host, fence(bench), specs)
    await until(async () => (await sleepers(bench)).length === 4)
    await bench.runtime.stop(bench.host, fence(bench), specs)

    assert.deepEqual(await sleepers(bench), [])
  })

  test('a stop while the start is under way ends with nothing running', async (t) => {
    const bench = await pm2Bench(t)
    const specs = await Promise.all(['p', 'q', 'r'].map((service) => bench.spec(service, 'works')))
    await bench.runtime.prepare(bench.host, fence(bench))

    const starting = codeOf(bench.runtime.start(bench.host, fence(bench), specs))
    await until(async () => (await bench.runtime.observe(bench.host, bench.root)).length > 0)
    await bench.runtime.stop(bench.host, fence(bench), specs)
    await starting
    await bench.runtime.stop(bench.host, fence(bench), specs)

    assert.deepEqual(
      (await bench.processes()).filter(({ kind }) => kind === 'slot'),
      [],
    )
    assert.deepEqual(await statesOf(bench, specs), ['stopped', 'stopped', 'stopped'])
  })

  test('another process under the pid of a slot is not taken for it', async (t) => {
    const bench = await pm2Bench(t)
    const spec = await bench.spec('worker', 'works')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const files = slotFiles(bench.root, spec)
    const [count, ms, , ticks, boot, key] = (await readFile(files.starts, 'utf8')).trim().split(' ')
    await bench.runtime.stop(bench.host, fence(bench), [spec])
    await rm(files.stop)

    await writeFile(files.starts, `${count} ${ms} ${process.pid} ${ticks} ${boot} ${key}\n`)
    const stolen = await look(bench, spec)
    await bench.runtime.stop(bench.host, fence(bench), [spec])

    assert.equal(stolen.state, 'crashed')
    assert.equal((await look(bench, spec)).state, 'stopped')
  })

  test('the stranger on a port is named', async (t) => {
    const bench = await pm2Bench(t)
    const spec = await bench.spec('blocked', 'serves')
    await bench.occupy(spec.port ?? 0)

    const work = bench.runtime.start(bench.host, fence(bench), [spec])

    await assert.rejects(work, (error) => {
      assert.ok(error instanceof Refusal)
      assert.match(
        error.message,
        new RegExp(`blocked\\.a: port ${spec.port} is taken by \\S+ \\(pid ${process.pid}\\) in ${process.cwd()}\n`),
      )
      return true
    })
  })
})

describe('PM2: calls', () => {
  test('calls that come while one is under way go together in the next', async (t) => {
    const bench = await countingBench(t)
    const specs = await Promise.all(Array.from({ length: 10 }, (_, index) => bench.spec(`s${index}`, 'works')))
    await bench.runtime.prepare(bench.host, fence(bench))
    const before = await bench.calls()

    const starts = specs.map(async (spec, index) => {
      await sleep(index * 10)
      await bench.runtime.start(bench.host, fence(bench), [spec])
    })
    await Promise.all(starts)

    const calls = (await bench.calls()).slice(before.length)
    assert.ok(calls.length <= 3, `${calls.length} calls`)
    assert.deepEqual(new Set(await statesOf(bench, specs)), new Set(['running']))
  })

  test('looking at slots and starting what runs calls PM2 not at all', async (t) => {
    const bench = await countingBench(t)
    const spec = await bench.spec('worker', 'works')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const before = await bench.calls()

    await bench.runtime.observe(bench.host, bench.root)
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await bench.runtime.tail(bench.host, bench.root, spec, 1)

    assert.deepEqual(await bench.calls(), before)
  })

  test('a host without PM2 is refused with how to get it', async (t) => {
    const bench = await pm2Bench(t)
    const without = pm2Runtime({ program: 'drover-no-such-pm2' })

    await assert.rejects(without.prepare(bench.host, fence(bench)), {
      message:
        'host local: drover-no-such-pm2 is missing, the runtime pm2 needs it\n' +
        '  HINT: Install it there with `npm install --global pm2`, or choose another runtime in drover.yaml.',
    })
  })
})

describe('PM2: environment', () => {
  test('a service sees its variables and nothing of PM2 or Drover', async (t) => {
    const bench = await pm2Bench(t)
    const spec = await bench.spec('backend', 'serves')
    const variables = { ...spec.variables, TOKEN: new Secret('slot-token-8c1f') }
    await bench.runtime.start(bench.host, fence(bench), [{ ...spec, variables }])
    await ready(bench, spec)

    const [answer] = await bench.host.probe([{ port: spec.port ?? 0, path: '/environment', timeoutMs: 1000 }])

    const seen: Record<string, string> = JSON.parse(answer?.body ?? '{}')
    assert.equal(seen['GREETING'], "it's\nme")
    assert.equal(seen['TOKEN'], 'slot-token-8c1f')
    assert.deepEqual(Object.keys(seen).toSorted(), [
      'DROVER_SLOT_FOLDER',
      'GREETING',
      'HOME',
      'LANG',
      'OLDPWD',
      'PATH',
      'PORT',
      'PWD',
      'TMPDIR',
      'TOKEN',
      'USER',
    ])
  })

  test('secrets are in no file that others can read, and PM2 does not know them', async (t) => {
    const bench = await pm2Bench(t)
    const secret = new Secret('correct-horse-7f3a')
    const spec = await bench.spec('backend', 'serves')
    await writeFile(spec.environmentFile, String(new Secret('')))
    const file = renderEnvironmentFile([['PASSWORD', secret]])
    await writeFile(spec.environmentFile, file instanceof Secret ? file.open() : file, { mode: 0o600 })
    await chmod(spec.environmentFile, 0o600)
    await bench.runtime.start(bench.host, fence(bench), [{ ...spec, variables: { ...spec.variables, TOKEN: secret } }])
    await ready(bench, spec)

    const listed = await bench.host.run({
      program: pm2Program(),
      argv: ['jlist'],
      env: { PM2_HOME: pm2Home(bench.root).folder },
    })

    assert.match(listed.stdout, /backend\.a/)
    assert.doesNotMatch(listed.stdout, /correct-horse/)
    assert.deepEqual(await openFilesWith(bench.root, 'correct-horse'), [])
    const { pid } = (await bench.processes()).find(({ kind }) => kind === 'pm2') ?? { pid: 0 }
    assert.doesNotMatch(await readFile(`/proc/${pid}/environ`, 'utf8'), /correct-horse/)
  })

  test('a root whose path is too long for a socket works all the same', async (t) => {
    const deep = join(tmpdir(), `drover-${'deep-'.repeat(20)}`)
    await mkdir(deep, { recursive: true })
    const bench = await pm2Bench(t, { folder: join(deep, 'root-') })
    t.after(() => rm(deep, { recursive: true, force: true }))
    const spec = await bench.spec('worker', 'works')

    await bench.runtime.prepare(bench.host, fence(bench))
    await bench.runtime.start(bench.host, fence(bench), [spec])

    assert.deepEqual(await statesOf(bench, [spec]), ['running'])
    assert.equal((await stat(pm2Home(bench.root).folder)).mode & 0o777, 0o700)
    assert.ok((await readdir(join(bench.root, 'pm2'))).includes('pm2.pid'))
    await bench.runtime.teardown(bench.host, fence(bench))
    await assert.rejects(stat(pm2Home(bench.root).folder))
  })

  test('the log of a slot begins with what runs in it', async (t) => {
    const bench = await pm2Bench(t)
    const one = await bench.custom('shop', 'echo "this is one"; exec sleep 100')
    const two = { ...(await bench.custom('shop', 'echo "this is two"; exec sleep 100')), artifact: 'two' }
    await bench.runtime.start(bench.host, fence(bench), [one])
    await until(async () => (await bench.runtime.tail(bench.host, bench.root, one, 9)).length > 0)

    await bench.runtime.start(bench.host, fence(bench), [two])

    await until(async () => (await bench.runtime.tail(bench.host, bench.root, two, 9)).includes('this is two'))
    assert.deepEqual(await bench.runtime.tail(bench.host, bench.root, two, 9), ['this is two'])
    assert.equal(await readFile(join(slotFiles(bench.root, two).folder, 'log.before'), 'utf8'), 'this is one\n')
  })

  test('a service that prints megabytes does not fill the disk, and goes on printing', async (t) => {
    const bench = await pm2Bench(t)
    const spec = { ...(await bench.custom('chatty', 'node server.cjs chatters')), variables: { PORT: '0' } }
    const { log, oldLog } = slotFiles(bench.root, spec)
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await until(async () => (await stat(log)).size > 21 * 1024 * 1024)

    await bench.runtime.observe(bench.host, bench.root, [spec])

    const after = (await stat(log)).size
    assert.ok(after < 15 * 1024 * 1024, `${after} bytes`)
    assert.ok((await stat(oldLog)).size <= 1024 * 1024)
    // A line that was being written when the log was cut may be torn; three whole ones later there is none among the last.
    await until(async () => (await stat(log)).size > after + 400_000)
    const lines = await bench.runtime.tail(bench.host, bench.root, spec, 3)
    assert.deepEqual(
      lines.map((line) => line.length),
      [100_000, 100_000, 100_000],
    )
  })
})

interface CountingBench extends Pm2Bench {
  calls(): Promise<readonly string[]>
}

/** Its PM2 writes down every call. */
async function countingBench(t: Parameters<typeof pm2Bench>[0]): Promise<CountingBench> {
  const folder = join(tmpdir(), `drover-count-${process.pid}-${performance.now()}`)
  await mkdir(folder)
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'pm2'), `#!/bin/sh\necho "$*" >>'${folder}/calls'\nexec '${pm2Program()}' "$@"\n`, {
    mode: 0o755,
  })
  await writeFile(join(folder, 'calls'), '')
  const bench = await pm2Bench(t, { program: join(folder, 'pm2') })
  return { ...bench, calls: async () => (await readFile(join(folder, 'calls'), 'utf8')).split('\n').slice(0, -1) }
}

async function unusedPort(bench: Pm2Bench): Promise<number> {
  return (await bench.spec('unused', 'serves')).port ?? 0
}

/** Arguments of the `sleep` processes whose working folder is below the bench's root. */
async function sleepers(bench: Pm2Bench): Promise<string[]> {
  const outcome = await bench.host.run({
    program: 'sh',
    argv: [
      '-c',
      'for p in /proc/[0-9]*; do case $(readlink "$p/cwd") in "$1"|"$1"/*) tr "\\0" " " <"$p/cmdline"; echo ;; esac; done 2>/dev/null',
      'sh',
      bench.root,
    ],
  })
  return outcome.stdout
    .split('\n')
    .filter((line) => line.startsWith('sleep 6'))
    .map((line) => line.slice('sleep '.length).trim())
    .toSorted()
}

/** Files below a folder that others may read and that hold a text. */
async function openFilesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries.filter((entry) => entry.isFile())) {
    const path = join(entry.parentPath, entry.name)
    const readable = ((await stat(path)).mode & 0o077) !== 0
    if (readable && (await readFile(path, 'latin1')).includes(text)) {
      found.push(path)
    }
  }
  return found
}

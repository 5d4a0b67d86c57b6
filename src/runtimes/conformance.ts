import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../hosts/host.ts'
import type { Fence } from '../hosts/operation.ts'
import type { SlotName } from '../manifest/fleet.ts'
import { Refusal } from '../problem/problem.ts'
import { awaitReady } from './ready.ts'
import type { AwaitReady } from './ready.ts'
import type { Runtime, SlotRef, SlotReport, SlotSpec } from './runtime.ts'

/** What a started slot of the suite does. Each writes the line `begins` to its log first. */
export type Conduct =
  /** Answers 200 with the name of its artifact. */
  | 'serves'
  /** As `serves`, after a while of 503. */
  | 'becomes-ready'
  | 'never-ready'
  | 'exits'
  | 'ignores-sigterm'
  /** Runs without a port. */
  | 'works'

/** A place for one test to run slots in; `make` clears it away after the test. */
export interface Bench {
  readonly runtime: Runtime
  readonly host: Host
  readonly root: string
  spec(
    service: string,
    conduct: Conduct,
    options?: { slot?: SlotName; artifact?: string; release?: number; port?: number | undefined },
  ): Promise<SlotSpec>
  /** Lets something that is no slot listen on a port. */
  occupy(port: number): Promise<void>
}

type Make = (t: TestContext) => Promise<Bench>

/** What every driver of the port {@link Runtime} has to pass. */
export function runtimeConformance(name: string, make: Make): void {
  describe(`${name}: start`, () => startSuite(make))
  describe(`${name}: stop`, () => stopSuite(make))
  describe(`${name}: readiness`, () => readinessSuite(make))
  describe(`${name}: logs and teardown`, () => logSuite(make))
}

function startSuite(make: Make): void {
  test('a started slot runs what its spec says', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('backend', 'serves', { artifact: 'art1', release: 4 })

    await bench.runtime.start(bench.host, fence(bench), [spec])

    const report = await look(bench, spec)
    assert.deepEqual(
      { ...report, pid: 0, startedAt: 0 },
      {
        service: 'backend',
        slot: 'a',
        state: 'running',
        pid: 0,
        artifact: 'art1',
        config: spec.config,
        release: 4,
        port: spec.port,
        restarts: 0,
        startedAt: 0,
      },
    )
    assert.equal(await answerOf(bench, spec), 'art1')
  })

  test('starting what runs already does nothing, whatever release asks', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('backend', 'serves', { release: 1 })
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const before = await look(bench, spec)

    await bench.runtime.start(bench.host, fence(bench, 2), [{ ...spec, release: 2 }])

    assert.deepEqual(await look(bench, spec), before)
  })

  test('starting another spec in a slot ends the one before', async (t) => {
    const bench = await make(t)
    const old = await bench.spec('backend', 'serves', { artifact: 'old' })
    const next = await bench.spec('backend', 'serves', { artifact: 'next', port: old.port })
    await bench.runtime.start(bench.host, fence(bench), [old])
    assert.equal(await answerOf(bench, old), 'old')

    await bench.runtime.start(bench.host, fence(bench), [next])

    assert.equal(await answerOf(bench, next), 'next')
    const report = await look(bench, next)
    assert.deepEqual([report.artifact, report.restarts], ['next', 0])
  })

  test('both slots of a service run side by side', async (t) => {
    const bench = await make(t)
    const specs = [
      await bench.spec('backend', 'serves', { slot: 'a', artifact: 'one' }),
      await bench.spec('backend', 'serves', { slot: 'b', artifact: 'two' }),
    ]

    await bench.runtime.start(bench.host, fence(bench), specs)

    assert.deepEqual(await Promise.all(specs.map((spec) => answerOf(bench, spec))), ['one', 'two'])
  })

  test('many callers at the same time all get their slots', async (t) => {
    const bench = await make(t)
    const specs = await Promise.all(['p', 'q', 'r', 's', 't'].map((service) => bench.spec(service, 'works')))

    await Promise.all(specs.map((spec) => bench.runtime.start(bench.host, fence(bench), [spec])))

    const reports = await bench.runtime.observe(bench.host, bench.root)
    assert.deepEqual(
      reports.map((report) => `${report.service} ${report.state}`).toSorted(),
      ['p', 'q', 'r', 's', 't'].map((service) => `${service} running`),
    )
  })

  test('a lower fence number is refused and changes nothing', async (t) => {
    const bench = await make(t)
    const [mine, theirs] = [await bench.spec('mine', 'works'), await bench.spec('theirs', 'works')]
    await bench.runtime.start(bench.host, fence(bench, 5), [mine])

    const work = [
      bench.runtime.start(bench.host, fence(bench, 4), [theirs]),
      bench.runtime.stop(bench.host, fence(bench, 4), [mine]),
      bench.runtime.teardown(bench.host, fence(bench, 4)),
    ]

    assert.deepEqual(await Promise.all(work.map(codeOf)), ['hosts/fenced', 'hosts/fenced', 'hosts/fenced'])
    assert.deepEqual(await statesOf(bench, [mine, theirs]), ['running', 'absent'])
  })

  test('a port that a stranger holds is refused before anything of the call is started', async (t) => {
    const bench = await make(t)
    const [fine, blocked] = [await bench.spec('fine', 'serves'), await bench.spec('blocked', 'serves')]
    await bench.occupy(blocked.port ?? 0)

    const code = await codeOf(bench.runtime.start(bench.host, fence(bench), [fine, blocked]))

    assert.equal(code, 'runtimes/port-taken')
    assert.deepEqual(await statesOf(bench, [fine, blocked]), ['absent', 'absent'])
  })

  test('a refused caller does not keep others from starting', async (t) => {
    const bench = await make(t)
    const [fine, blocked] = [await bench.spec('fine', 'serves'), await bench.spec('blocked', 'serves')]
    await bench.occupy(blocked.port ?? 0)

    const codes = await Promise.all(
      [fine, blocked].map((spec) => codeOf(bench.runtime.start(bench.host, fence(bench), [spec]))),
    )

    assert.deepEqual(codes, ['fulfilled', 'runtimes/port-taken'])
    assert.deepEqual(await statesOf(bench, [fine, blocked]), ['running', 'absent'])
  })
}

function stopSuite(make: Make): void {
  test('a stopped slot is stopped, answers nothing, and may be stopped again', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('backend', 'serves')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await answerOf(bench, spec)

    await bench.runtime.stop(bench.host, fence(bench), [spec])
    await bench.runtime.stop(bench.host, fence(bench), [spec])

    const report = await look(bench, spec)
    assert.deepEqual([report.state, report.pid, report.artifact], ['stopped', undefined, spec.artifact])
    assert.equal((await ask(bench, spec)).status, undefined)
  })

  test('what ignores SIGTERM is killed after its drain time', async (t) => {
    const bench = await make(t)
    const spec = { ...(await bench.spec('stubborn', 'ignores-sigterm')), drainMs: 300 }
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await answerOf(bench, spec)

    await bench.runtime.stop(bench.host, fence(bench), [spec])

    assert.deepEqual(await statesOf(bench, [spec]), ['stopped'])
    assert.equal((await ask(bench, spec)).status, undefined)
  })

  test('a slot that never was may be stopped', async (t) => {
    const bench = await make(t)
    const ghost = { service: 'ghost', slot: 'b', drainMs: 10 } as const

    await bench.runtime.stop(bench.host, fence(bench), [ghost])

    assert.deepEqual(await bench.runtime.observe(bench.host, bench.root, [ghost]), [
      { service: 'ghost', slot: 'b', state: 'absent', restarts: 0 },
    ])
    assert.deepEqual(await bench.runtime.observe(bench.host, bench.root), [])
  })

  test('a stopped slot can be started again', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('backend', 'serves')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await bench.runtime.stop(bench.host, fence(bench), [spec])

    await bench.runtime.start(bench.host, fence(bench), [spec])

    assert.equal(await answerOf(bench, spec), spec.artifact)
    assert.equal((await look(bench, spec)).restarts, 0)
  })

  test('a slot that ended by itself is crashed, and may be started again', async (t) => {
    const bench = await make(t)
    const spec = { ...(await bench.spec('weak', 'exits')), restart: false }
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await until(async () => (await look(bench, spec)).state === 'crashed')

    const better = { ...(await bench.spec('weak', 'serves', { artifact: 'better' })), restart: false }
    await bench.runtime.start(bench.host, fence(bench), [better])

    assert.equal(await answerOf(bench, better), 'better')
  })
}

function readinessSuite(make: Make): void {
  test('a slot is ready once its path answers 2xx', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('slow', 'becomes-ready')
    const answers: string[] = []
    await bench.runtime.start(bench.host, fence(bench), [spec])

    const ready = await awaitReady({ ...wish(bench, spec), onProgress: ({ answer }) => answers.push(answer) })

    assert.ok(ready.polls > 1, `${ready.polls} polls`)
    assert.ok(
      answers.some((answer) => answer.startsWith('status 503')),
      answers.join(),
    )
    assert.equal((await ask(bench, spec)).status, 200)
  })

  test('a worker is ready once it has run for a while', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('worker', 'works')
    await bench.runtime.start(bench.host, fence(bench), [spec])

    const ready = await awaitReady(wish(bench, spec, { steadyMs: 300 }))

    assert.ok(ready.readyAfterMs >= 300)
    assert.equal(ready.polls, 0)
  })

  test('a slot that exits is told at once, with what it wrote', async (t) => {
    const bench = await make(t)
    const spec = { ...(await bench.spec('weak', 'exits')), restart: false }
    await bench.runtime.start(bench.host, fence(bench), [spec])

    const problem = await problemOf(awaitReady(wish(bench, spec, { timeoutMs: 600_000 })))

    assert.equal(problem.code, 'runtimes/exited')
    assert.match(problem.what, /begins/)
  })

  test('a slot that is never ready is told when its time is over, with its last answer', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('hopeless', 'never-ready')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    await until(async () => (await ask(bench, spec)).status === 503)

    const problem = await problemOf(awaitReady(wish(bench, spec, { timeoutMs: 1000 })))

    assert.equal(problem.code, 'runtimes/never-ready')
    assert.match(problem.what, /its last answer: status 503: not ready/)
    assert.match(problem.what, /begins/)
  })

  test('an abort ends the waiting', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('hopeless', 'never-ready')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const abort = new AbortController()

    const waiting = awaitReady({ ...wish(bench, spec, { timeoutMs: 600_000 }), signal: abort.signal })
    abort.abort(new Error('cancelled'))

    await assert.rejects(waiting, { message: 'cancelled' })
  })
}

function logSuite(make: Make): void {
  test('the end of a log can be read and followed', async (t) => {
    const bench = await make(t)
    const [one, two] = [await bench.spec('one', 'serves'), await bench.spec('two', 'serves')]
    await bench.runtime.start(bench.host, fence(bench), [one, two])
    await Promise.all([answerOf(bench, one), answerOf(bench, two)])
    const abort = new AbortController()
    const lines: string[] = []

    const tail = await bench.runtime.tail(bench.host, bench.root, one, 5)
    const following = bench.runtime.follow(bench.host, bench.root, [one, two], {
      lines: 5,
      signal: abort.signal,
      onLine: (slot, line) => lines.push(`${slot.service}.${slot.slot} ${line}`),
    })
    await until(async () => lines.length === 2)
    abort.abort()
    await following

    assert.deepEqual(tail, ['begins'])
    assert.deepEqual(lines.toSorted(), ['one.a begins', 'two.a begins'])
    assert.deepEqual(await bench.runtime.tail(bench.host, bench.root, { service: 'ghost', slot: 'a' }, 5), [])
  })

  test('a teardown leaves nothing, and may be repeated', async (t) => {
    const bench = await make(t)
    const specs = [await bench.spec('one', 'serves'), await bench.spec('two', 'works')]
    await bench.runtime.start(bench.host, fence(bench), specs)
    await answerOf(bench, specs[0])

    await bench.runtime.teardown(bench.host, fence(bench))
    await bench.runtime.teardown(bench.host, fence(bench))

    assert.deepEqual(await bench.runtime.observe(bench.host, bench.root), [])
    assert.equal((await ask(bench, specs[0])).status, undefined)
  })

  test('preparing a host may be repeated and changes no slot', async (t) => {
    const bench = await make(t)
    const spec = await bench.spec('one', 'works')
    await bench.runtime.prepare(bench.host, fence(bench))
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const before = await look(bench, spec)

    await bench.runtime.prepare(bench.host, fence(bench))

    assert.deepEqual(await look(bench, spec), before)
  })
}

function fence(bench: Bench, number = 1): Fence {
  return { root: bench.root, number }
}

function wish(bench: Bench, spec: SlotSpec, readiness: { timeoutMs?: number; steadyMs?: number } = {}): AwaitReady {
  return {
    host: bench.host,
    runtime: bench.runtime,
    root: bench.root,
    slot: spec,
    ...(spec.port === undefined ? {} : { port: spec.port }),
    readiness: { path: '/health/ready', timeoutMs: 20_000, steadyMs: 100, ...readiness },
    signal: new AbortController().signal,
  }
}

/** A report without its figures, which change all the time. */
async function look(bench: Bench, slot: SlotRef): Promise<SlotReport> {
  const [report] = await bench.runtime.observe(bench.host, bench.root, [slot])
  assert.ok(report !== undefined)
  const { memoryBytes: _memory, cpuMs: _cpu, ...rest } = report
  return rest
}

async function statesOf(bench: Bench, slots: readonly SlotRef[]): Promise<string[]> {
  return (await bench.runtime.observe(bench.host, bench.root, slots)).map((report) => report.state)
}

async function ask(bench: Bench, spec: SlotSpec | undefined): Promise<{ status: number | undefined; body: string }> {
  const [answer] = await bench.host.probe([{ port: spec?.port ?? 1, path: '/', timeoutMs: 1000 }])
  assert.ok(answer !== undefined)
  return answer
}

/** The first answer with 200. */
async function answerOf(bench: Bench, spec: SlotSpec | undefined): Promise<string> {
  let body = ''
  await until(async () => {
    const answer = await ask(bench, spec)
    body = answer.body
    return answer.status === 200
  })
  return body
}

async function problemOf(work: Promise<unknown>): Promise<{ code: string; what: string }> {
  const error = await work.then(
    () => assert.fail('was not refused'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Refusal, String(error))
  const [problem] = error.problems
  assert.ok(problem !== undefined)
  return problem
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'fulfilled',
    (error: unknown) => (error instanceof Refusal ? (error.problems[0]?.code ?? '') : String(error)),
  )
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let polls = 0; polls < 400; polls += 1) {
    if (await condition()) {
      return
    }
    await sleep(25)
  }
  assert.fail('what was waited for did not happen within 10 s')
}

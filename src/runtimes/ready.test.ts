import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Host, Probe } from '../hosts/host.ts'
import { Secret } from '../secrets/secret.ts'
import { memoryHost } from './memory/memory-host.ts'
import { memoryRuntime } from './memory/memory-runtime.ts'
import type { Behaviour, MemoryRuntime } from './memory/memory-runtime.ts'
import { awaitReady } from './ready.ts'
import type { AwaitReady } from './ready.ts'
import type { SlotSpec } from './runtime.ts'

const ROOT = '/srv/shop'

function specOf(service: string, port: number): SlotSpec {
  return {
    service,
    slot: 'a',
    artifact: service,
    config: 'c',
    start: 'x',
    cwd: '/srv',
    environmentFile: '/srv/env',
    variables: {},
    port,
    drainMs: 1,
    release: 1,
    restart: true,
  }
}

function wish(host: Host, runtime: MemoryRuntime, spec: SlotSpec, timeoutMs = 10_000): AwaitReady {
  return {
    host,
    runtime,
    root: ROOT,
    slot: spec,
    port: spec.port ?? 0,
    readiness: { path: '/health', timeoutMs, steadyMs: 1 },
    signal: new AbortController().signal,
  }
}

async function started(
  specs: readonly SlotSpec[],
  behave: (spec: SlotSpec) => Behaviour,
): Promise<{ host: Host; runtime: MemoryRuntime }> {
  const runtime = memoryRuntime(behave)
  const host = memoryHost(runtime)
  await runtime.start(host, { root: ROOT, number: 1 }, specs)
  return { host, runtime }
}

/** The same runtime for a host that was changed for the test: its slots are those of the original. */
function seenThrough(runtime: MemoryRuntime, host: Host): MemoryRuntime {
  return { ...runtime, observe: (_, root, slots) => runtime.observe(host, root, slots) }
}

test('nineteen that wait share one loop', async () => {
  const specs = Array.from({ length: 19 }, (_, index) => specOf(`s${index}`, 3000 + index))
  const { host, runtime } = await started(specs, (spec) => ({ readyAfter: Number(spec.port) % 5 }))
  const rounds: number[] = []
  const counted = {
    ...host,
    probe: (probes: readonly Probe[]) => {
      rounds.push(probes.length)
      return host.probe(probes)
    },
  }
  const observed: number[] = []
  const watched: MemoryRuntime = {
    ...runtime,
    observe: (_, root, slots) => {
      observed.push(slots?.length ?? 0)
      return runtime.observe(host, root, slots)
    },
  }

  await Promise.all(specs.map((spec) => awaitReady(wish(counted, watched, spec))))

  assert.equal(rounds[0], 19)
  assert.ok(rounds.length <= 8, `asked in ${rounds.length} rounds`)
  assert.ok(observed.length <= 8, `looked ${observed.length} times`)
})

test('one that is slow to answer does not hold up the others', async () => {
  const [slowSpec, quickSpec] = [specOf('slow', 3001), specOf('quick', 3002)]
  const { host, runtime } = await started([slowSpec, quickSpec], (spec) => ({
    readyAfter: spec.service === 'quick' ? 6 : 0,
  }))
  let slowAnswers = (): void => {}
  const slow = new Promise<void>((resolve) => {
    slowAnswers = resolve
  })
  const stalling: Host = {
    ...host,
    async probe(probes) {
      if (probes.length === 1 && probes[0]?.port === 3001) {
        await slow
      }
      const answers = await host.probe(probes)
      return answers.map((answer, index) =>
        probes[index]?.port === 3001 && probes.length > 1
          ? { status: undefined, body: '', error: 'late', durationMs: 300 }
          : answer,
      )
    },
  }

  const watched = seenThrough(runtime, host)
  const waiting = awaitReady(wish(stalling, watched, slowSpec))
  await awaitReady(wish(stalling, watched, quickSpec))
  slowAnswers()

  assert.ok((await waiting).polls >= 1)
})

test('one that has answered in time is ready also where its host is slow to tell of it', async () => {
  const spec = specOf('backend', 3001)
  const { host, runtime } = await started([spec], () => ({ readyAfter: 0 }))
  let overTime = (): void => {}
  const late = new Promise<void>((resolve) => {
    overTime = resolve
  })
  const slow: MemoryRuntime = {
    ...runtime,
    observe: async (_, root, slots) => {
      await late
      return runtime.observe(host, root, slots)
    },
  }

  const waiting = awaitReady(wish(host, slow, spec, 50))
  setTimeout(overTime, 200)

  assert.ok((await waiting).polls >= 1)
})

test('an answer of a slot that has ended since does not count', async () => {
  const spec = specOf('backend', 3001)
  const { host, runtime } = await started([spec], () => ({ exitsAfter: 1_000 }))
  const dying: Host = {
    ...host,
    async probe(probes) {
      const answers = await host.probe(probes)
      runtime.crash(host, ROOT, spec)
      return answers
    },
  }
  const watched = seenThrough(runtime, host)

  await assert.rejects(() => awaitReady(wish(dying, watched, spec)), {
    problems: [
      {
        code: 'runtimes/exited',
        severity: 'error',
        where: { at: 'host memory, backend.a' },
        what: 'exited by itself before it was ready; it wrote nothing',
        hint: 'Does it start with the same variables on your machine?',
      },
    ],
  })
})

test('what a slot wrote is quoted without secrets', async () => {
  const spec = specOf('backend', 3001)
  const { host, runtime } = await started([spec], () => ({
    exitsAfter: 0,
    log: ['connecting', 'password is hunter22', 'postgres://u:pw123@db/x'],
  }))

  await assert.rejects(() => awaitReady({ ...wish(host, runtime, spec), secrets: [new Secret('hunter22')] }), {
    message:
      'host memory, backend.a: exited by itself before it was ready; last lines:\n' +
      '    connecting\n    password is [REDACTED]\n    postgres://u:[REDACTED]@db/x\n' +
      '  HINT: Does it start with the same variables on your machine?',
  })
})

test('a slot that was never started is told at once', async () => {
  const { host, runtime } = await started([], () => ({}))

  await assert.rejects(() => awaitReady(wish(host, runtime, specOf('ghost', 3001))), /ghost\.a: was never started/)
})

test('a host that cannot be reached ends the waiting of all', async () => {
  const specs = [specOf('p', 3001), specOf('q', 3002)]
  const { host, runtime } = await started(specs, () => ({ readyAfter: Number.POSITIVE_INFINITY }))
  const gone: Host = { ...host, probe: () => Promise.reject(new Error('no route to host')) }

  const ends = await Promise.allSettled(
    specs.map((spec) => awaitReady(wish(gone, { ...runtime, observe: async () => [] }, spec))),
  )

  assert.deepEqual(
    ends.map((end) => (end.status === 'rejected' ? String(end.reason) : '')),
    ['Error: no route to host', 'Error: no route to host'],
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { act } from '../../hosts/act.ts'
import { runtimeConformance } from '../conformance.ts'
import type { Bench, Conduct } from '../conformance.ts'
import type { SlotSpec } from '../runtime.ts'
import { memoryHost } from './memory-host.ts'
import { memoryRuntime } from './memory-runtime.ts'
import type { Behaviour } from './memory-runtime.ts'

const BEHAVIOURS: Record<Conduct, Behaviour> = {
  serves: {},
  'becomes-ready': { readyAfter: 4 },
  'never-ready': { readyAfter: Number.POSITIVE_INFINITY },
  exits: { exitsAfter: 0 },
  'ignores-sigterm': { ignoresStop: true },
  works: {},
}

function bench(): Bench {
  const conducts = new Map<string, Conduct>()
  const runtime = memoryRuntime((spec) => ({
    ...BEHAVIOURS[conducts.get(spec.start) ?? 'serves'],
    answer: () => ({ status: 200, body: spec.artifact }),
    log: ['begins'],
  }))
  const host = memoryHost(runtime)
  let ports = 3000
  return {
    runtime,
    host,
    root: '/srv/shop',
    async spec(service, conduct, { slot = 'a', artifact = 'artifact', release = 1, port = (ports += 1) } = {}) {
      conducts.set(conduct, conduct)
      return {
        ...SPEC,
        service,
        slot,
        artifact,
        release,
        start: conduct,
        ...(conduct === 'works' ? {} : { port }),
      }
    },
    async occupy(port) {
      runtime.occupy(host, port, 'stranger')
    },
  }
}

const SPEC: SlotSpec = {
  service: 'x',
  slot: 'a',
  artifact: 'x',
  config: 'config',
  start: 'serves',
  cwd: '/srv/shop',
  environmentFile: '/srv/shop/env',
  variables: {},
  drainMs: 100,
  release: 1,
  restart: true,
}

runtimeConformance('memory runtime', async () => bench())

test('what was done can be read in order', async () => {
  const runtime = memoryRuntime((spec) => (spec.service === 'stubborn' ? { ignoresStop: true } : {}))
  const host = memoryHost(runtime)
  const fence = { root: '/srv/shop', number: 1 }

  await runtime.start(host, fence, [SPEC, { ...SPEC, service: 'stubborn' }])
  await runtime.start(host, fence, [{ ...SPEC, artifact: 'y' }])
  await runtime.stop(host, fence, [{ ...SPEC, service: 'stubborn' }])

  assert.deepEqual(runtime.events, ['start x.a x', 'start stubborn.a x', 'stop x.a', 'start x.a y', 'kill stubborn.a'])
})

test('a slot can be made to crash', async () => {
  const runtime = memoryRuntime()
  const host = memoryHost(runtime)
  await runtime.start(host, { root: '/srv/shop', number: 1 }, [SPEC])

  runtime.crash(host, '/srv/shop', SPEC)

  assert.deepEqual(
    (await runtime.observe(host, '/srv/shop')).map((report) => report.state),
    ['crashed'],
  )
})

test('two hosts of one runtime have slots of their own, and a host takes operations', async () => {
  const runtime = memoryRuntime()
  const [one, two] = [memoryHost(runtime, { name: 'one' }), memoryHost(runtime, { name: 'two' })]
  const fence = { root: '/srv/shop', number: 1 }

  await runtime.start(one, fence, [{ ...SPEC, port: 3080 }])
  await act(two, fence, [{ kind: 'folder', path: '/srv/shop' }])

  const statuses = await Promise.all(
    [one, two].map(async (host) => (await host.probe([{ port: 3080, path: '/', timeoutMs: 1 }]))[0]?.status),
  )
  assert.deepEqual(statuses, [200, undefined])
  assert.deepEqual(two.transcript, ['run act as release 1; make folder /srv/shop'])
})

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { asHost } from '../../../lab/as-host.ts'
import type { LabHost } from '../../../lab/lab-host.ts'
import { openLab } from '../../../lab/lab.ts'
import { DEPLOY_USER, makeReady } from '../../../lab/ready-host.ts'
import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { Refusal } from '../../problem/problem.ts'
import type { Bench, Conduct } from '../conformance.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import type { Runtime, SlotRef, SlotReport, SlotSpec, SlotVariables } from '../runtime.ts'
import { systemdRuntime } from './systemd-runtime.ts'

const SERVER = `
const { createServer } = require('node:http')
const [conduct, artifact] = process.argv.slice(2)
console.log('begins')
let asked = 0
if (conduct === 'exits') process.exit(1)
if (conduct === 'ignores-sigterm') process.on('SIGTERM', () => {})
if (conduct === 'works') setInterval(() => {}, 1000)
else createServer((request, response) => {
  const ready = conduct === 'never-ready' ? false : conduct === 'becomes-ready' ? (asked += 1) > 4 : true
  if (request.url === '/environment') return response.end(JSON.stringify(process.env))
  response.writeHead(ready ? 200 : 503)
  response.end(ready ? artifact : 'not ready')
}).listen(Number(process.env.PORT), '127.0.0.1')
`

/** One host of the lab, ready to run slots, for the tests of a file. */
export interface LabSystemd {
  readonly machine: LabHost
  readonly host: Host
  close(): Promise<void>
}

export async function openLabSystemd(): Promise<LabSystemd> {
  const lab = await openLab({ hosts: 1 })
  const [machine] = lab.hosts
  assert.ok(machine !== undefined)
  try {
    await makeReady(machine)
    const host = await asHost(machine, DEPLOY_USER)
    return {
      machine,
      host,
      close: async () => {
        await host.close()
        await lab.close()
      },
    }
  } catch (error) {
    await lab.close()
    throw error
  }
}

export interface SystemdBench extends Bench {
  readonly fleet: string
  readonly runtime: Runtime
  /** A spec with a start line of the test's own, without a port. */
  custom(service: string, start: string, options?: { readonly slot?: 'a' | 'b' }): SlotSpec
  /** Another runtime on the same environment, as after a restart of Drover. */
  again(): Runtime
}

let benches = 0
let ports = 20_000

/** A fleet of its own on the host; all of it goes after the test. */
export async function systemdBench(
  t: TestContext,
  { machine, host }: LabSystemd,
  variables: SlotVariables = [['GREETING', "it's\nme"]],
): Promise<SystemdBench> {
  benches += 1
  const fleet = `fleet${benches}`
  const root = `/srv/drover/${fleet}/lab`
  const runtime = systemdRuntime({ fleet, environment: 'lab' })
  const artifact = `${root}/artifacts/it's $one`
  const environmentFile = `${root}/env/one.env`
  t.after(() => runtime.teardown(host, { root, number: 1_000_000 }))
  await act(host, { root, number: 0 }, [
    { kind: 'folder', path: artifact },
    { kind: 'folder', path: `${root}/env` },
    { kind: 'write', path: `${artifact}/server.cjs`, content: SERVER },
    { kind: 'write', path: environmentFile, content: renderEnvironmentFile(variables), mode: 0o600 },
  ])

  function custom(service: string, start: string, { slot = 'a' }: { readonly slot?: 'a' | 'b' } = {}): SlotSpec {
    return {
      service,
      slot,
      artifact: 'artifact',
      config: 'config',
      start,
      cwd: artifact,
      environmentFile,
      variables: {},
      drainMs: 2000,
      release: 1,
      restart: true,
    }
  }

  return {
    fleet,
    runtime,
    host,
    root,
    custom,
    again: () => systemdRuntime({ fleet, environment: 'lab' }),
    async spec(service, conduct: Conduct, { slot = 'a', artifact: name = 'artifact', release = 1, port: wanted } = {}) {
      const spec = { ...custom(service, `node server.cjs ${conduct} ${name}`, { slot }), artifact: name, release }
      if (conduct === 'works') return spec
      ports += 1
      const port = wanted ?? ports
      return { ...spec, port, variables: { PORT: String(port) } }
    },
    async occupy(port) {
      const unit = `occupier-${port}.service`
      const server = ['/usr/bin/python3', '-m', 'http.server', '--bind', '127.0.0.1', String(port)]
      await machine.inside(['systemd-run', '--quiet', `--unit=${unit}`, ...server])
      t.after(() => machine.inside(['systemctl', 'stop', unit]))
      await until(async () => (await host.probe([{ port, path: '/', timeoutMs: 1000 }]))[0]?.status !== undefined)
    },
  }
}

export function fence(bench: Bench, number = 1): Fence {
  return { root: bench.root, number }
}

export async function look(bench: Bench, slot: SlotRef): Promise<SlotReport> {
  const [report] = await bench.runtime.observe(bench.host, bench.root, [slot])
  assert.ok(report !== undefined)
  return report
}

/** The problem of a refusal. */
export async function problemOf(work: Promise<unknown>): Promise<Refusal['problems'][number]> {
  const error = await work.then(
    () => assert.fail('was not refused'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Refusal, String(error))
  assert.ok(error.problems[0] !== undefined)
  return error.problems[0]
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let polls = 0; polls < 400; polls += 1) {
    if (await condition()) return
    await sleep(25)
  }
  assert.fail('what was waited for did not happen within 10 s')
}

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../test/free-ports.ts'
import { localHost } from '../../hosts/local/local-host.ts'
import { Refusal } from '../../problem/problem.ts'
import type { Bench, Conduct } from '../conformance.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { awaitReady } from '../ready.ts'
import type { SlotRef, SlotReport, SlotSpec } from '../runtime.ts'
import { pm2Home } from './home.ts'
import { pm2Runtime } from './pm2-runtime.ts'

const SERVER = `
const { createServer } = require('node:http')
const [conduct, artifact] = process.argv.slice(2)
console.log('begins')
let asked = 0
if (conduct === 'exits') process.exit(1)
if (conduct === 'exits-later') setTimeout(() => process.exit(1), 400)
if (conduct === 'ignores-sigterm') process.on('SIGTERM', () => {})
if (conduct === 'hangs') for (;;) {}
if (conduct === 'chatters') setInterval(() => console.log('x'.repeat(100000)), 1)
if (conduct === 'works') setInterval(() => {}, 1000)
else createServer((request, response) => {
  const ready = conduct === 'never-ready' ? false : conduct === 'becomes-ready' ? (asked += 1) > 4 : true
  if (request.url === '/environment') return response.end(JSON.stringify(process.env))
  response.writeHead(ready ? 200 : 503)
  response.end(ready ? artifact : 'not ready')
}).listen(Number(process.env.PORT), '127.0.0.1')
`

/** A test's PM2: the one of tools/pm2, or one on the PATH. */
export function pm2Program(): string {
  const own = fileURLToPath(new URL('../../../tools/pm2/node_modules/.bin/pm2', import.meta.url))
  if (existsSync(own)) {
    return own
  }
  const onPath = (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'pm2')))
  if (!onPath) {
    throw new Error('these tests need PM2: run `npm ci` in tools/pm2')
  }
  return 'pm2'
}

export interface Pm2Bench extends Bench {
  /** What conformance does not know of: further conducts of the server, or a start line of the test's own. */
  custom(service: string, start: string, options?: { readonly slot?: 'a' | 'b' }): Promise<SlotSpec>
  /** Pids of every process that belongs to this bench: slots' processes and PM2 itself. */
  processes(): Promise<readonly { readonly pid: number; readonly kind: 'slot' | 'pm2' }[]>
}

/** Real processes under a real PM2, in a folder whose name needs quoting; all of it goes after the test. */
export async function pm2Bench(
  t: TestContext,
  options: { readonly program?: string; readonly folder?: string } = {},
): Promise<Pm2Bench> {
  const root = await mkdtemp(options.folder ?? join(tmpdir(), "dr it's $p "))
  const host = localHost()
  const runtime = pm2Runtime({ program: options.program ?? pm2Program() })
  const artifact = join(root, 'artifacts')
  const environmentFile = join(root, 'env file')
  await mkdir(artifact)
  await writeFile(join(artifact, 'server.cjs'), SERVER)
  await writeFile(environmentFile, String(renderEnvironmentFile([['GREETING', "it's\nme"]])))
  let numbers = 1_000_000
  t.after(async () => {
    await runtime.teardown(host, { root, number: numbers })
    await endAll(root)
    await rm(root, { recursive: true, force: true })
  })

  async function custom(
    service: string,
    start: string,
    { slot = 'a' }: { readonly slot?: 'a' | 'b' } = {},
  ): Promise<SlotSpec> {
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
    runtime,
    host,
    root,
    custom,
    async spec(service, conduct: Conduct, { slot = 'a', artifact: name = 'artifact', release = 1, port: wanted } = {}) {
      const spec = {
        ...(await custom(service, `node server.cjs ${conduct} ${name}`, { slot })),
        artifact: name,
        release,
      }
      if (conduct === 'works') {
        return spec
      }
      const port = wanted ?? (await freePort())
      return { ...spec, port, variables: { PORT: String(port) } }
    },
    async occupy(port) {
      const server = createServer()
      await listenOn(server, port)
      t.after(() => server.close())
    },
    processes: () => processesOf(root),
  }
}

async function processesOf(root: string): Promise<readonly { readonly pid: number; readonly kind: 'slot' | 'pm2' }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const variables = (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).split('\0')
      if (variables.some((variable) => variable.startsWith(`DROVER_SLOT_FOLDER=${root}/`))) {
        return [{ pid: Number(pid), kind: 'slot' as const }]
      }
      return variables.includes(`PM2_HOME=${pm2Home(root).folder}`) ? [{ pid: Number(pid), kind: 'pm2' as const }] : []
    }),
  )
  return found.flat()
}

/** What a failed test left, by id. */
async function endAll(root: string): Promise<void> {
  for (const { pid } of await processesOf(root)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

export function fence(bench: Pm2Bench, number = 1): { root: string; number: number } {
  return { root: bench.root, number }
}

export async function look(bench: Pm2Bench, slot: SlotRef): Promise<SlotReport> {
  const [report] = await bench.runtime.observe(bench.host, bench.root, [slot])
  assert.ok(report !== undefined)
  return report
}

export async function statesOf(bench: Pm2Bench, slots: readonly SlotRef[]): Promise<string[]> {
  return (await bench.runtime.observe(bench.host, bench.root, slots)).map((report) => report.state)
}

export function ready(bench: Pm2Bench, spec: SlotSpec, timeoutMs = 20_000): Promise<unknown> {
  return awaitReady({
    host: bench.host,
    runtime: bench.runtime,
    root: bench.root,
    slot: spec,
    ...(spec.port === undefined ? {} : { port: spec.port }),
    readiness: { path: '/health', timeoutMs, steadyMs: 100 },
    signal: new AbortController().signal,
  })
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'fulfilled',
    (error: unknown) => (error instanceof Refusal ? (error.problems[0]?.code ?? '') : String(error)),
  )
}

export async function killPm2(bench: Pm2Bench): Promise<void> {
  for (const { pid } of (await bench.processes()).filter(({ kind }) => kind === 'pm2')) {
    process.kill(pid, 'SIGKILL')
  }
  await until(async () => (await bench.processes()).every(({ kind }) => kind !== 'pm2'))
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let polls = 0; polls < 400; polls += 1) {
    if (await condition()) {
      return
    }
    await sleep(25)
  }
  assert.fail('what was waited for did not happen within 10 s')
}

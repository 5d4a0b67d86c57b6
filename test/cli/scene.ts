import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { runDrover } from '../../src/cli/run.ts'
import type { Surroundings } from '../../src/cli/surroundings.ts'
import type { HostOperations } from '../../src/release/host-operations.ts'
import { Secret } from '../../src/secrets/secret.ts'
import { createApp } from '../../src/server/app.ts'
import { serve } from '../../src/server/serve.ts'
import type { Served } from '../../src/server/serve.ts'
import { testingControlPlane } from '../../src/server/testing-control-plane.ts'
import type { TestingControlPlane, TestingOptions } from '../../src/server/testing-control-plane.ts'
import { testingHostOperations } from '../../src/server/testing-host-operations.ts'

export const TOKEN = 'a-token-for-tests-only'
export const MAIN = join(import.meta.dirname, 'main.ts')

export const MANIFEST = `fleet: pakashop
environments:
  staging: { branch: main, ports: 1000 }
  production: { branch: production }
services:
  config: { port: 3085 }
  gateway: { port: 8000, needs: [config] }
  backend: { port: 3080, needs: [config, gateway] }
`

export interface Result {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** A working tree with a manifest, and a control plane in memory behind a real API. */
export interface Scene {
  readonly repository: string
  readonly controlPlane: TestingControlPlane
  readonly env: Readonly<Record<string, string>>
  /** The command line in this process. */
  drover(this: void, ...words: readonly string[]): Promise<Result>
  start(this: void, ...words: readonly string[]): Running
  /** The command line as a process of its own. */
  process(words: readonly string[], options?: SpawnOptions): ChildProcess
  /** Ends the API and serves the same control plane again under the same address. */
  restart(): Promise<void>
}

interface Planes {
  readonly controlPlane: TestingControlPlane
  readonly hostOperations: HostOperations
}

/** Open until the test, or the file, that owns it has ended. */
export async function openScene(
  owner: { after(close: () => Promise<void>): void },
  options: TestingOptions = {},
): Promise<Scene> {
  const repository = makeRepository()
  const controlPlane = testingControlPlane(options)
  const planes = { controlPlane, hostOperations: testingHostOperations() }
  let api = await open(planes)
  owner.after(async () => {
    await controlPlane.close()
    await api.close()
    rmSync(repository, { recursive: true, force: true })
  })
  const port = Number(new URL(api.url).port)
  const env = { ...cleanEnvironment(), DROVER_URL: api.url, DROVER_TOKEN: TOKEN, DROVER_ACTOR: 'anna' }
  return {
    repository,
    controlPlane,
    env,
    drover: (...words) => droverIn({ cwd: repository, env }, words),
    start: (...words) => startDrover({ cwd: repository, env }, words),
    process: (words, spawnOptions = {}) =>
      spawn(process.execPath, [MAIN, ...words], { cwd: repository, env, ...spawnOptions }),
    restart: async () => {
      await api.close()
      api = await open(planes, port)
    },
  }
}

async function open({ controlPlane, hostOperations }: Planes, port = 0): Promise<Served> {
  const closing = new AbortController()
  const app = createApp({
    controlPlane,
    hostOperations,
    token: new Secret(TOKEN),
    version: '0.1.0',
    health: async () => ({ ok: true }),
    shutdown: () => {},
    log: () => {},
    closing: closing.signal,
  })
  const served = await serve({ app, port })
  return {
    url: served.url,
    close: () => {
      closing.abort()
      return served.close()
    },
  }
}

/** The folder of a repository; what git itself would make of it is of no concern to the command line. */
export function makeRepository(manifest = MANIFEST): string {
  const folder = mkdtempSync(join(tmpdir(), 'drover-cli-'))
  mkdirSync(join(folder, '.git'))
  writeFileSync(join(folder, 'drover.yaml'), manifest)
  for (const service of ['config', 'gateway', 'backend']) {
    mkdirSync(join(folder, 'services', service), { recursive: true })
    writeFileSync(join(folder, 'services', service, 'package.json'), '{"scripts":{"start":"node server.js"}}')
  }
  return folder
}

const ROOT = join(import.meta.dirname, '../..')

/** The environment without what would make the command line behave as this machine's user wishes. */
export function cleanEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '/nonexistent' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE: join(ROOT, '.cache/compiled') }
}

export interface Place {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** What breaking the glass does; absent: nothing is known of any host. */
  readonly breakGlass?: Surroundings['breakGlass']
}

/** A command line that runs in this process, in streams of its own. */
export interface Running {
  readonly result: Promise<Result>
  /** Resolves when it has printed, on either stream, something that matches. */
  says(pattern: RegExp): Promise<void>
  /** Ctrl-C. */
  interrupt(): void
}

export function startDrover(place: Place, words: readonly string[]): Running {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const said = { stdout: '', stderr: '' }
  const news = new EventEmitter()
  for (const [name, stream] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    stream.on('data', (chunk: Buffer) => {
      said[name] += chunk.toString()
      news.emit('said')
    })
  }
  const interrupts = new EventEmitter()
  const code = runDrover(words, {
    breakGlass: ({ host, to = 1 }) => Promise.resolve({ host: host.name, to, services: [] }),
    ...place,
    stdin,
    stdout,
    stderr,
    version: '0.1.0',
    self: [process.execPath, MAIN],
    startServer: async () => {},
    onInterrupt: (callback) => {
      interrupts.on('interrupt', callback)
      return () => void interrupts.off('interrupt', callback)
    },
  })
  return {
    result: code.then((code) => ({ code, ...said })),
    says: async (pattern) => {
      while (!pattern.test(said.stdout + said.stderr)) await once(news, 'said')
    },
    interrupt: () => void interrupts.emit('interrupt'),
  }
}

export function droverIn(place: Place, words: readonly string[]): Promise<Result> {
  return startDrover(place, words).result
}

/** What a process printed and how it ended. */
export async function ended(child: ChildProcess): Promise<Result> {
  const exit = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'nothing')),
  )
  const [code, stdout, stderr] = await Promise.all([
    exit,
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
  ])
  return { code, stdout, stderr }
}

/** Resolves when the process has printed something that matches, with all that it has printed. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      all += chunk.toString()
      if (pattern.test(all)) resolve(all)
    })
    child.once('exit', () => reject(new Error(`it ended without printing ${pattern}: ${all}`)))
  })
}

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openControlPlane } from '../../src/drivers.ts'
import type { ControlPlaneOptions, OpenedControlPlane } from '../../src/drivers.ts'
import type { EnvironmentRef, Order, Release, ReleaseEvent } from '../../src/release/records.ts'
import type { Secret } from '../../src/secrets/secret.ts'
import { makeSmallFleet } from '../fleet/small-fleet.ts'
import type { SmallFleet } from '../fleet/small-fleet.ts'

export const ENVIRONMENT: EnvironmentRef = { fleet: 'small', environment: 'test' }
const HANG_MS = 90_000

/** A folder with a small fleet and the home of a control plane; everything in it ends with the test. */
export interface StoryBench {
  readonly folder: string
  readonly home: string
  readonly fleet: SmallFleet
  readonly deploy: Order
  /** Closed with the test at the latest. */
  open(options?: Partial<ControlPlaneOptions>): Promise<OpenedControlPlane>
  /** A little traffic over all services until it is stopped, with the test at the latest. */
  trickle(): Trickle
  /** Runs a control plane in a process of its own and says how the release that it followed ended. */
  child(options: ChildOptions): ChildRun
}

export interface Trickle {
  /** How many requests were sent, and what each was answered that was not answered 200. */
  stop(): Promise<{ sent: number; failed: string[] }>
}

export interface BenchOptions {
  readonly watch?: string
  readonly warm?: string
  /** The environment's folder on the host; absent: below the home. */
  readonly root?: string
  /** Absent: the embedded PostgreSQL of each home. */
  readonly databaseUrl?: Secret
}

export interface ChildOptions {
  /** `resume` follows the newest release, `serve` works until it is killed. Absent: deploys. */
  readonly order?: Order | 'resume' | 'serve'
  readonly dieAt?: string
  /** Where several processes are to die at one point, only the first that gets there does: it makes this file. */
  readonly death?: string
  /** Absent: the home of the bench. */
  readonly home?: string
}

export interface ChildRun {
  readonly process: ChildProcess
  /** Once its control plane works. */
  opened(): Promise<void>
  /** How the release ended, or undefined when the process was killed before. */
  ended(): Promise<{ readonly outcome: string; readonly number: number } | undefined>
}

export async function storyBench(t: TestContext, options: BenchOptions = {}): Promise<StoryBench> {
  const { databaseUrl, ...fleetOptions } = options
  const database = databaseUrl === undefined ? {} : { databaseUrl }
  const folder = await mkdtemp(join(tmpdir(), 'drover-story-'))
  // As root the embedded server runs as another user; behind closed folders its data would lie elsewhere and stay.
  await chmod(folder, 0o755)
  const home = join(folder, 'home')
  await mkdir(home, { mode: 0o711 })
  const fleet = await makeSmallFleet({
    folder: join(folder, 'repository'),
    journal: join(folder, 'jobs.jsonl'),
    ...fleetOptions,
  })
  const children = new Set<ChildProcess>()
  const opened = new Set<OpenedControlPlane>()
  const trickles = new Set<Trickle>()
  const deploy: Order = { goal: 'deploy', repository: fleet.folder, ref: 'main' }
  t.after(async () => {
    for (const traffic of trickles) await traffic.stop()
    for (const child of children) child.kill('SIGKILL')
    for (const control of opened) await control.close()
    const control = await openControlPlane({ ...optionsFor(home), ...database })
    await endAll(control)
    await control.close()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    folder,
    home,
    fleet,
    deploy,
    open: async (others = {}) => {
      const control = await openControlPlane({ ...optionsFor(home), ...database, ...others })
      opened.add(control)
      return control
    },
    trickle: () => {
      const traffic = trickle(fleet)
      trickles.add(traffic)
      return traffic
    },
    child: (child) => startChild(children, { home, order: deploy, ...child }, databaseUrl),
  }
}

/** Also what a test that failed has left under way. */
export async function endAll(control: OpenedControlPlane): Promise<void> {
  const { controlPlane } = control
  for (;;) {
    const { active } = await controlPlane.status(ENVIRONMENT)
    if (active === undefined) break
    await controlPlane.cancel(active, 'test').catch(() => undefined)
    await follow(control, active)
  }
  await controlPlane.teardown(ENVIRONMENT, 'test')
}

export function optionsFor(home: string): Parameters<typeof openControlPlane>[0] {
  return { folder: home, programs: { pm2: pm2Program() }, log: () => undefined }
}

function pm2Program(): string {
  const own = join(import.meta.dirname, '../../tools/pm2/node_modules/.bin/pm2')
  return existsSync(own) ? own : 'pm2'
}

function startChild(children: Set<ChildProcess>, task: ChildOptions, databaseUrl: Secret | undefined): ChildRun {
  const argv = [join(import.meta.dirname, 'control-plane-process.ts'), JSON.stringify(task)]
  const env = { ...process.env, DATABASE_URL: databaseUrl?.open() ?? '' }
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const exited = once(child, 'close')
  return {
    process: child,
    opened: async () => {
      while (said === '') await Promise.race([once(child.stdout, 'data'), exited.then(() => assert.notEqual(said, ''))])
    },
    ended: async () => {
      const guard = setTimeout(() => child.kill('SIGKILL'), HANG_MS)
      await exited
      clearTimeout(guard)
      children.delete(child)
      const last = said.trim().split('\n').at(-1) ?? ''
      return last.startsWith('{') ? (JSON.parse(last) as { outcome: string; number: number }) : undefined
    },
  }
}

/** Asks for a release and follows it to its end. */
export async function carryOut(
  control: OpenedControlPlane,
  order: Order,
): Promise<{ release: Release; events: ReleaseEvent[] }> {
  return follow(control, await control.controlPlane.request(ENVIRONMENT, { order, actor: 'test' }))
}

export async function follow(
  { controlPlane }: OpenedControlPlane,
  asked: Release,
): Promise<{ release: Release; events: ReleaseEvent[] }> {
  const events: ReleaseEvent[] = []
  for await (const event of controlPlane.events(asked, { signal: AbortSignal.timeout(HANG_MS) })) events.push(event)
  return { release: await controlPlane.release(asked), events }
}

/** What users of the fleet get from each service, asked on its stable port. */
export async function answers(
  fleet: SmallFleet,
): Promise<Record<string, { version: string; slot: string; pid: number; seenConfig?: string }>> {
  const entries = fleet.services.map(async (service) => {
    const response = await fetch(`http://127.0.0.1:${fleet.ports[service]}/`)
    return [service, await response.json()] as const
  })
  return Object.fromEntries(await Promise.all(entries)) as Awaited<ReturnType<typeof answers>>
}

/** Reads from the host, not from Drover's records, which set is live. */
export function liveSet(home: string): Promise<string> {
  return liveSetIn(join(home, 'hosts/small/test'))
}

/** The same where the environment has a folder of its own. */
export async function liveSetIn(root: string): Promise<string> {
  return (await readlink(join(root, 'router/live'))).split('/').at(-1)!
}

/** The most singletons that ever ran at the same time, and how many ran at the end, by what they noted themselves. */
export async function jobsAtOnce(folder: string): Promise<{ most: number; now: number }> {
  const lines = (await readFile(join(folder, 'jobs.jsonl'), 'utf8')).trim().split('\n')
  const running = new Set<number>()
  let most = 0
  for (const line of lines) {
    const { what, pid } = JSON.parse(line) as { what: 'begin' | 'end'; pid: number }
    if (what === 'begin') running.add(pid)
    else running.delete(pid)
    most = Math.max(most, running.size)
  }
  return { most, now: running.size }
}

function trickle(fleet: SmallFleet): Trickle {
  let stopped = false
  const failed: string[] = []
  let sent = 0
  const loops = fleet.services.map(async (service) => {
    while (!stopped) {
      sent++
      const answer = await fetch(`http://127.0.0.1:${fleet.ports[service]}/`, {
        signal: AbortSignal.timeout(20_000),
      }).then(
        async (response) => {
          await response.text()
          return response.status
        },
        (error: unknown) => String((error as Error).cause ?? error),
      )
      if (answer !== 200) failed.push(`${service}: ${answer}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  return {
    stop: async () => {
      stopped = true
      await Promise.all(loops)
      return { sent, failed }
    },
  }
}

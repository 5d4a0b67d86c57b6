import { execFileSync, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from './stage.ts'
import type { Stage } from './stage.ts'

/** What one command of the demo came to. Times are milliseconds since the epoch. */
export interface Scene {
  readonly title: string
  readonly from: number
  readonly to: number
  readonly exitCode: number
  readonly expectedExit: number
  /** Absent when nothing was released. */
  readonly release?: {
    readonly number: number
    readonly outcome: string
    readonly requestedAt: number
    readonly switchedAt?: number
    readonly rescued: number
  }
}

export type Say = (text: string) => void

const DROVER = join(PROJECT, 'bin/drover')

/** Runs a drover command with its output on the screen. */
export function drover(stage: Stage, ...argv: string[]): Promise<number> {
  const child = spawn(DROVER, argv, { cwd: stage.repository, env: stage.environment, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** Runs a drover command for its JSON document. */
export function ask<T>(stage: Stage, ...argv: string[]): T {
  const text = execFileSync(DROVER, [...argv, '--json'], {
    cwd: stage.repository,
    env: stage.environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(text) as T
}

interface ReleaseDocument {
  readonly number: number
  readonly phase: string
  readonly outcome?: string
  readonly requestedAt: number
  readonly switchedAt?: number
  readonly traffic?: { readonly rescued: number }
}

export function isUnderWay(stage: Stage): boolean {
  const [newest] = ask<{ releases: ReleaseDocument[] }>(stage, 'releases', 'production', '-n', '1').releases
  return newest !== undefined && newest.outcome === undefined
}

interface SceneOptions {
  readonly stage: Stage
  readonly say: Say
  readonly title: string
  readonly command: readonly string[]
  readonly expectedExit?: number
  /** What else happens while the command runs. */
  readonly meanwhile?: () => Promise<void>
}

export async function play({ stage, say, title, command, expectedExit = 0, meanwhile }: SceneOptions): Promise<Scene> {
  say(`\n── ${title}\n$ drover ${command.join(' ')}\n`)
  const from = Date.now()
  const [exitCode] = await Promise.all([drover(stage, ...command), meanwhile?.()])
  const to = Date.now()
  const [newest] = ask<{ releases: ReleaseDocument[] }>(stage, 'releases', 'production', '-n', '1').releases
  const scene = { title, from, to, exitCode, expectedExit }
  if (newest?.outcome === undefined) return scene
  const { number, outcome, requestedAt, switchedAt, traffic } = newest
  return {
    ...scene,
    release: {
      number,
      outcome,
      requestedAt,
      rescued: traffic?.rescued ?? 0,
      ...(switchedAt === undefined ? {} : { switchedAt }),
    },
  }
}

/** Changes one line of a service's behaviour and commits it. */
export async function misbehave(
  stage: Stage,
  service: string,
  edit: { readonly from: string; readonly to: string },
): Promise<void> {
  const file = join(stage.repository, 'services', service, 'behaviour.json')
  const text = await readFile(file, 'utf8')
  if (!text.includes(edit.from)) throw new Error(`${file} has no ${edit.from}`)
  await writeFile(file, text.replace(edit.from, edit.to))
  stage.commit(`${service}: ${edit.to}`)
}

export function bump(stage: Stage, service: string, version: string): void {
  execFileSync(join(stage.repository, 'scripts/bump.sh'), [service, version])
  stage.commit(`${service} ${version}`)
}

/** Waits until a release is in this phase, then ends the control plane as a power cut would. */
export async function killDroverIn(stage: Stage, phase: string, say: Say): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    if (Date.now() > deadline) throw new Error(`no release reached the phase ${phase} within a minute`)
    const [newest] = ask<{ releases: ReleaseDocument[] }>(stage, 'releases', 'production', '-n', '1').releases
    if (newest?.outcome === undefined && newest?.phase === phase) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const { pid } = JSON.parse(await readFile(join(stage.home, 'server.json'), 'utf8')) as { pid: number }
  process.kill(pid, 'SIGKILL')
  say(`\n   >>> kill -9 ${pid}: Drover is gone in the middle of the release\n`)
}

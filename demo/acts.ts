import { execFile, execFileSync, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PROJECT, rewrite } from './stage.ts'
import type { Stage } from './stage.ts'

/** What became of a command. Times are milliseconds since the epoch. */
export interface Ending {
  readonly exitCode: number
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

/** Runs a drover command for its JSON document, the last one where it prints several. */
export async function ask<T>(stage: Stage, ...argv: string[]): Promise<T> {
  const { repository: cwd, environment: env } = stage
  const { stdout } = await promisify(execFile)(DROVER, [...argv, '--json'], { cwd, env })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T
}

interface ReleaseDocument {
  readonly number: number
  readonly phase: string
  readonly outcome?: string
  readonly requestedAt: number
  readonly switchedAt?: number
  readonly traffic?: { readonly rescued: number }
}

async function newestRelease(stage: Stage): Promise<ReleaseDocument | undefined> {
  const { releases } = await ask<{ releases: ReleaseDocument[] }>(stage, 'releases', 'production', '-n', '1')
  return releases[0]
}

/** Ends what is under way, as after a demo that was interrupted. */
export async function endRelease(stage: Stage): Promise<void> {
  const newest = await newestRelease(stage)
  if (newest !== undefined && newest.outcome === undefined) await drover(stage, 'cancel', 'production')
}

/** Runs a command that asks for a release. */
export async function release(stage: Stage, command: readonly string[]): Promise<Ending> {
  const from = Date.now()
  const exitCode = await drover(stage, ...command)
  const newest = await newestRelease(stage)
  if (newest?.outcome === undefined || newest.requestedAt < from) return { exitCode }
  const { number, outcome, requestedAt, switchedAt, traffic } = newest
  return {
    exitCode,
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
  await rewrite(join(stage.repository, 'services', service, 'behaviour.json'), (text) => {
    if (!text.includes(edit.from)) throw new Error(`${service} has no ${edit.from}`)
    return text.replace(edit.from, edit.to)
  })
  stage.commit(`${service}: ${edit.to}`)
}

export function bump(stage: Stage, service: string, version: string): void {
  execFileSync(join(stage.repository, 'scripts/bump.sh'), [service, version])
  stage.commit(`${service} ${version}`)
}

/** Waits until a release is in this phase, then ends the control plane as a power cut would. */
export async function killDroverIn(stage: Stage, phase: string, say: Say): Promise<void> {
  await reached(stage, phase)
  const { pid } = JSON.parse(await readFile(join(stage.home, 'server.json'), 'utf8')) as { pid: number }
  process.kill(pid, 'SIGKILL')
  say(`\n   >>> kill -9 ${pid}: Drover is gone in the middle of the release\n`)
}

/** Waits until the newest release is in this phase. */
export async function reached(stage: Stage, phase: string): Promise<void> {
  const deadline = Date.now() + 180_000
  for (;;) {
    if (Date.now() > deadline) throw new Error(`no release reached the phase ${phase} within three minutes`)
    const newest = await newestRelease(stage)
    if (newest?.outcome === undefined && newest?.phase === phase) return
    await delay(100)
  }
}

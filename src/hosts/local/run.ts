import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, Outcome, RunOptions } from '../host.ts'
import { errorCode } from '../error-code.ts'
import { keptOutput } from '../kept-output.ts'
import type { KeptOutput } from '../kept-output.ts'
import { lineSplitter } from '../line-splitter.ts'
import { childEnvironment } from './environment.ts'

const DEFAULT_TIMEOUT_MS = 60_000
const DEFAULT_MAX_OUTPUT = 1024 * 1024
const KILL_AFTER_MS = 2_000
/** Output of an ended program is in the pipe already; what comes later comes from a daemon that it left behind. */
const QUIET_AFTER_EXIT_MS = 100
const LONGEST_AFTER_EXIT_MS = 2_000
const GROUP_POLL_MS = 20

/** Runs a command on this machine in a process group of its own. See {@link Outcome} for every way it can end. */
export async function runLocally(command: Command, options: RunOptions = {}): Promise<Outcome> {
  const started = performance.now()
  const stdout = keptOutput(options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT)
  const stderr = keptOutput(options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT)
  const outcome = (end: End): Outcome => ({
    ok: end.exitCode === 0 && end.failure === undefined,
    exitCode: end.exitCode,
    signal: end.signal,
    stdout: stdout.text(),
    stderr: stderr.text() + (end.note ?? ''),
    durationMs: performance.now() - started,
    ...(end.failure === undefined ? {} : { failure: end.failure }),
  })
  if (options.signal?.aborted === true) {
    return outcome({ exitCode: undefined, signal: undefined, failure: 'aborted' })
  }

  const child = spawn(command.program, command.argv, {
    cwd: command.cwd,
    env: childEnvironment(command.env),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lastOutput = { at: performance.now() }
  const finishStdout = collect(child.stdout, stdout, lastOutput, (line) => options.onLine?.(line, 'stdout'))
  const finishStderr = collect(child.stderr, stderr, lastOutput, (line) => options.onLine?.(line, 'stderr'))
  feed(child, command)
  const closed = closeOf(child)
  const end = await ended(child, command, options)
  if (end.note === undefined) {
    await outputComplete(child, closed, lastOutput)
  }
  finishStdout()
  finishStderr()
  return outcome(end)
}

interface End {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  readonly failure?: NonNullable<Outcome['failure']>
  /** Why it could not be started. */
  readonly note?: string
}

/** Waits for the program's exit; at the time limit or an abort, ends its whole group first. */
async function ended(child: ChildProcess, command: Command, options: RunOptions): Promise<End> {
  let cut: 'timeout' | 'aborted' | undefined
  let groupGone: Promise<void> | undefined
  const end = (why: 'timeout' | 'aborted'): void => {
    cut ??= why
    groupGone ??= endGroup(child)
  }
  const onAbort = (): void => end('aborted')
  const timer = setTimeout(() => end('timeout'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const end = await exitOf(child, command)
    await groupGone
    return cut === undefined || end.note !== undefined ? end : { ...end, failure: cut }
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

function exitOf(child: ChildProcess, command: Command): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(notStarted(error, command)))
    child.once('exit', (code, signal) => {
      const end = { exitCode: code ?? undefined, signal: signal ?? undefined }
      resolve(code === 0 ? end : { ...end, failure: signal === null ? 'exit' : 'signal' })
    })
  })
}

/** Node reports a missing working folder as a missing program; the note tells them apart. */
function notStarted(error: Error, command: Command): End {
  const code = errorCode(error)
  const missing = code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR'
  const folderMissing = missing && command.cwd !== undefined && !existsSync(command.cwd)
  const what = folderMissing ? `working folder ${command.cwd}` : command.program
  return {
    exitCode: undefined,
    signal: undefined,
    failure: missing ? 'not-found' : 'transport',
    note: `cannot start ${what}: ${code ?? error.message}`,
  }
}

/** SIGTERM to the group, SIGKILL two seconds later to what is left of it; returns when nothing of it runs. */
async function endGroup(child: ChildProcess): Promise<void> {
  const group = child.pid
  if (group === undefined) {
    return
  }
  signalGroup(group, 'SIGTERM')
  const deadline = performance.now() + KILL_AFTER_MS
  while (signalGroup(group, 0) && performance.now() < deadline) {
    await sleep(GROUP_POLL_MS)
  }
  if (signalGroup(group, 'SIGKILL')) {
    // Killed processes that nobody has reaped still count as members of the group: wait, but not for ever.
    for (let polls = 0; signalGroup(group, 0) && polls < 10; polls += 1) {
      await sleep(GROUP_POLL_MS)
    }
  }
}

/** Whether the group had any member to signal. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal)
    return true
  } catch {
    return false
  }
}

function collect(stream: Readable, kept: KeptOutput, last: { at: number }, onLine: (line: string) => void): () => void {
  const lines = lineSplitter(onLine)
  stream.on('data', (chunk: Buffer) => {
    last.at = performance.now()
    kept.push(chunk)
    lines.push(chunk)
  })
  stream.on('error', () => {})
  return () => lines.end()
}

function feed(child: ChildProcess, command: Command): void {
  const stdin = command.stdin ?? ''
  // A program may end without reading its input; that is its own affair and shows in its exit code.
  child.stdin?.on('error', () => {})
  child.stdin?.end(typeof stdin === 'string' ? stdin : stdin.open())
}

interface Closed {
  readonly promise: Promise<void>
  /** Whether both streams have ended. */
  done: boolean
}

function closeOf(child: ChildProcess): Closed {
  const closed: Closed = {
    done: false,
    promise: new Promise((resolve) => {
      child.once('close', () => {
        closed.done = true
        resolve()
      })
    }),
  }
  return closed
}

/**
 * After the exit, waits until both streams are closed, or silent for a moment when a daemon that was left behind
 * still holds them. The streams are let go then, so that the daemon keeps nothing of Drover open.
 */
async function outputComplete(child: ChildProcess, closed: Closed, last: { at: number }): Promise<void> {
  const exited = performance.now()
  while (!closed.done) {
    const now = performance.now()
    if (now - Math.max(last.at, exited) >= QUIET_AFTER_EXIT_MS || now - exited >= LONGEST_AFTER_EXIT_MS) {
      break
    }
    await Promise.race([closed.promise, sleep(10)])
    // Lets a busy event loop read the pipes once more before silence is judged.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  child.stdout?.destroy()
  child.stderr?.destroy()
}

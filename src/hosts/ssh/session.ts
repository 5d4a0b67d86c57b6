import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal, refusal } from '../../problem/problem.ts'
import type { Command, Outcome, RunOptions } from '../host.ts'
import { Secret } from '../../secrets/secret.ts'
import { isTooLate } from './connection-failure.ts'
import type { Connection, Entry } from './connection.ts'
import {
  DEFAULT_MAX_OUTPUT,
  DEFAULT_TIMEOUT_MS,
  EMPTY,
  KILL_TIMEOUT_MS,
  LINGER_MS,
  ON_ITS_WAY_MS,
  endOfGroup,
  mayStillRun,
  withLost,
} from './command-end.ts'
import { between, markedOutput, shorten } from './marked-output.ts'
import type { MarkedOutput } from './marked-output.ts'
import { wrap } from './wrapper.ts'
import type { Wrapped } from './wrapper.ts'

/** Room for what a login shell may print around the output, per stream, beside the marks. */
const NOISE_BYTES = 64 * 1024
/** The longest timer there is: this machine's end of a command must not have a limit of its own. */
const NO_LIMIT_MS = 2 ** 31 - 1

export interface SessionOptions extends RunOptions {
  /** What follows the command's own input. */
  readonly feed?: Feed
}

/** Text and then the contents of files of this machine, without anything in between. */
export interface Feed {
  readonly text: string
  readonly files: readonly string[]
  /** Of the files together, as far as it is known. */
  readonly bytes: number
  /** Makes it smaller for a slow line; the command gets it packed. */
  readonly packer?: 'zstd' | 'gzip'
}

/**
 * One command over the connection, in one round trip. See {@link Outcome} for every way it can end. A host that has answered
 * before and cannot be reached in time is tried once more: a line that loses packets is no host that is away.
 */
export async function runInSession(
  connection: Connection,
  command: Command,
  options: SessionOptions = {},
): Promise<Outcome> {
  const isKnown = connection.hasAnswered()
  try {
    return await runOnce(connection, command, options)
  } catch (error) {
    if (!isKnown || !isTooLate(error)) throw error
    return runOnce(connection, command, options)
  }
}

async function runOnce(connection: Connection, command: Command, options: SessionOptions): Promise<Outcome> {
  const started = performance.now()
  if (options.signal?.aborted === true) {
    return { ...EMPTY, failure: 'aborted', durationMs: performance.now() - started }
  }
  const wrapped = wrap(command)
  const entry = await connection.enter()
  let why: Refusal | 'lost' | undefined
  try {
    const session = await converse({ connection, entry, wrapped }, options)
    const outcome = outcomeOf(session, command, options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT)
    if (outcome === undefined) throw await whyNotBegun(connection, session.local)
    if (outcome.failure === 'transport') why = 'lost'
    return { ...outcome, durationMs: performance.now() - started }
  } catch (error) {
    why = error instanceof Refusal ? error : 'lost'
    throw error
  } finally {
    entry.left(why)
  }
}

interface Session {
  readonly wrapped: Wrapped
  readonly output: MarkedOutput
  /** How ssh itself ended on this machine. */
  readonly local: Outcome
  readonly cut: 'timeout' | 'aborted' | undefined
  /** Said when a command was cut and may still be at work. */
  readonly note: string
}

interface Talk {
  readonly connection: Connection
  readonly entry: Entry
  readonly wrapped: Wrapped
}

async function converse({ connection, entry, wrapped }: Talk, options: SessionOptions): Promise<Session> {
  const stop = new AbortController()
  let cut: Session['cut']
  let ending: Promise<string> | undefined
  let linger: NodeJS.Timeout | undefined
  const output = markedOutput(wrapped.mark, {
    onLine: options.onLine,
    onBegin: () => entry.begun(),
    onComplete: () => {
      linger = setTimeout(() => stop.abort(), LINGER_MS)
    },
  })
  const end = (reason: 'timeout' | 'aborted'): void => {
    if (output.complete) return
    cut ??= reason
    ending ??= endRemote(connection, output, stop.signal).finally(() => {
      linger = setTimeout(() => stop.abort(), LINGER_MS)
    })
  }
  const onAbort = (): void => end('aborted')
  const timer = setTimeout(() => end('timeout'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const local = await connection.options.run(await localCommand(connection, wrapped, options.feed), {
      signal: stop.signal,
      timeoutMs: NO_LIMIT_MS,
      maxOutputBytes: (options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT) + 2 * NOISE_BYTES,
      onLine: output.onLine,
    })
    if (ending !== undefined && output.group === undefined) stop.abort()
    return { wrapped, output, local, cut, note: (await ending) ?? '' }
  } finally {
    clearTimeout(timer)
    clearTimeout(linger)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function localCommand(connection: Connection, wrapped: Wrapped, feed: Feed | undefined): Promise<Command> {
  const ssh = await connection.command(wrapped.login)
  if (feed === undefined) return { ...ssh, stdin: wrapped.stdin }
  const own = wrapped.stdin.open()
  const names = feed.files.map((file) => `${file}\0`).join('')
  const sizes = [own, feed.text].map((text) => String(Buffer.byteLength(text)))
  const argv = ['-c', FEED, 'feed', feed.packer ?? '', ...sizes, ssh.program, ...ssh.argv]
  return { ...ssh, program: 'sh', argv, stdin: new Secret(own + feed.text + names) }
}

/** head takes exactly these bytes and leaves the rest, so that one input holds all three: script, text, names of files. */
const FEED = `packer=$1 own=$2 text=$3
shift 3
contents() { head -c "$text"; xargs -0 -r cat --; }
{ head -c "$own"; if [ -n "$packer" ]; then contents | "$packer" -cq1; else contents; fi; } | "$@"`

/** Ends the group of the command with a command of its own; says so when that cannot be done. */
async function endRemote(connection: Connection, output: MarkedOutput, over: AbortSignal): Promise<string> {
  const deadline = performance.now() + ON_ITS_WAY_MS
  while (output.group === undefined && !over.aborted && performance.now() < deadline) await sleep(20)
  if (output.group === undefined || output.complete) return ''
  const ended = await runInSession(connection, endOfGroup(output.group), { timeoutMs: KILL_TIMEOUT_MS }).catch(
    () => undefined,
  )
  return ended?.ok === true ? '' : mayStillRun(output.group)
}

/** undefined: the command did not begin, and nobody had told it to end. */
function outcomeOf(
  { wrapped, output, local, cut, note }: Session,
  command: Command,
  maxBytes: number,
): Outcome | undefined {
  const stdout = shorten(between(local.stdout, wrapped.mark), maxBytes)
  const stderr = shorten(between(local.stderr, wrapped.mark), maxBytes)
  const base = { ...EMPTY, stdout, stderr }
  if (output.missing !== undefined) {
    const what = output.missing === 'folder' ? `working folder ${command.cwd}` : command.program
    return { ...base, stderr: `cannot start ${what}: ENOENT`, failure: 'not-found' }
  }
  if (cut !== undefined) return { ...base, ...endOf(output.status), ok: false, stderr: stderr + note, failure: cut }
  if (output.status !== undefined) return { ...base, ...endOf(output.status) }
  if (output.group === undefined) return undefined
  return { ...base, stderr: withLost(stderr), failure: 'transport' }
}

/** A shell tells a death by signal as 128 and its number; a program that exits with such a code itself looks the same. */
function endOf(status: number | undefined): Partial<Outcome> {
  if (status === undefined) return {}
  if (status === 0) return { ok: true, exitCode: 0 }
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0]
  return signal === undefined ? { exitCode: status, failure: 'exit' } : { signal, failure: 'signal' }
}

async function whyNotBegun(connection: Connection, local: Outcome): Promise<Refusal> {
  const { name, destination } = connection.options
  if (local.failure === 'not-found') {
    return refusal('hosts/ssh-missing', `host ${name}`, 'there is no ssh on this machine', 'Install openssh-client.')
  }
  if (local.exitCode === 255) return await connection.explain(local.stderr)
  const said = `${local.stdout}\n${local.stderr}`.trim().slice(-300)
  return refusal(
    'hosts/no-shell',
    `host ${name}`,
    `${destination} lets us in, but runs no commands${said === '' ? '' : `: ${said}`}`,
    'Has this user a login shell there, and does the host have setsid (package util-linux)?',
  )
}

import { errorCode } from '../hosts/error-code.ts'
import type { Outcome } from '../hosts/host.ts'
import { problem, Refusal, refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { Secret } from '../secrets/secret.ts'
import { halfApplied, halfAppliedProblem } from './applied-migrations.ts'
import type { CommandPlace, MigrationRecord } from './applied-migrations.ts'
import type { LockWait } from './lock-guard.ts'
import type { MigrationRun } from './migrate.ts'
import { describeBlocker } from './sessions.ts'
import type { Transcript } from './transcript.ts'

/** Everything that is known once a command has not ended well. */
export interface Failure {
  readonly run: MigrationRun
  readonly place: string
  readonly end: Outcome
  readonly wait: LockWait | undefined
  readonly records: readonly MigrationRecord[] | 'no table' | 'unreadable'
  readonly lines: Transcript
}

/** Why the command failed, followed by the way out of each migration that is half applied. */
export function failedRefusal(failure: Failure): Refusal {
  const open = typeof failure.records === 'string' ? [] : halfApplied(failure.records)
  const problems = [
    cause(failure, open.length),
    ...open.map((record) => halfAppliedProblem(record, failure.place, commandPlace(failure))),
  ]
  return new Refusal(problems, open.length > 0 ? 'failed-not-restored' : 'refused')
}

/** The command has ended, and what it did cannot be read. */
export function unreadableRefusal(error: unknown, failure: Omit<Failure, 'records'>): unknown {
  if (!(error instanceof Refusal)) return error
  return new Refusal([cause({ ...failure, records: 'unreadable' }, 0), ...error.problems], 'failed-not-restored')
}

function cause(failure: Failure, open: number): Problem {
  const { run, place, end, wait, lines } = failure
  const command = lines.clean(run.command)
  const told = [
    ...lines.last(),
    ...(end.exitCode === undefined && end.failure !== 'signal' ? end.stderr.split('\n') : []),
  ]
  const shown = told
    .filter((line, index) => line.trim() !== '' && told.indexOf(line) === index)
    .map((line) => `\n  | ${line}`)
  const say = (code: string, what: string, hint = nextStep(failure, open)): Problem =>
    problem(`databases/${code}`, place, `${what}${shown.join('')}`, hint)
  if (end.failure === 'aborted') {
    return run.signal.aborted
      ? say('migration-cancelled', `the migration was cancelled: ${command} was ended`)
      : say('connection-lost', `the connection that holds the migration's lock was lost, so ${command} was ended`)
  }
  if (end.failure === 'timeout') {
    return say('migration-timeout', `${command} did not end within ${seconds(run.timeoutMs)} and was ended`)
  }
  if (!end.ok && wait?.expired === true) return lockTimeout(wait, say)
  return say('migration-failed', `${command} ${howItEnded(end)}`)
}

function lockTimeout(wait: LockWait, say: (code: string, what: string, hint: string) => Problem): Problem {
  const pids = wait.blockers.map((blocker) => blocker.pid).filter((pid) => pid !== 0)
  const who = wait.blockers.slice(0, 3).map(describeBlocker)
  return say(
    'lock-timeout',
    `a statement waited ${seconds(wait.waitedMs)} for a lock and gave up, so that the application does not queue behind it; in the way: ${who.join('; ')}`,
    `Deploy again once that has ended, or end it (select pg_terminate_backend(${pids[0] ?? 'pid'})); a longer lock timeout keeps the application waiting for longer.`,
  )
}

function howItEnded(end: Outcome): string {
  if (end.ok) return 'ended well, but what it did is not'
  if (end.failure === 'exit') return `exited with ${end.exitCode}`
  return end.failure === 'signal' ? `was ended by ${end.signal}` : 'could not be started'
}

/** What a shell exits with that does not find a program. */
const NOT_FOUND = 127

function nextStep({ records, end, run }: Failure, open: number): string {
  if (open > 0) return 'The next problem says how to go on.'
  if (end.exitCode === NOT_FOUND)
    return `Is the program among the packages of the service, or on the PATH of the deploy user on ${run.host.name}?`
  if (records === 'unreadable') return 'Deploy again once the database is up: what was applied is read from it then.'
  return records === 'no table'
    ? 'The tool keeps no table that Drover can read: look what it has changed before you deploy again.'
    : 'No migration is half applied: put right what it says and deploy again.'
}

function commandPlace({ run, lines }: Failure): CommandPlace {
  const { cwd, host, env, store } = run
  const address = store.url.open()
  const variable = Object.entries(env).find(
    ([, value]) => (value instanceof Secret ? value.open() : value) === address,
  )?.[0]
  return { command: lines.clean(run.command), cwd, host: host.name, variable }
}

/** An error of the work around the command, as a Refusal when it is one that must be expected. */
export function cutRefusal(error: unknown, place: string, signal: AbortSignal): Error {
  if (error instanceof Refusal) return error
  if (signal.aborted)
    return refusal('databases/migration-cancelled', place, 'the migration was cancelled before its command was started')
  if (!(error instanceof Error)) return new Error(String(error))
  const code = errorCode(error)
  const fromServer = code !== undefined && /^[0-9A-Z]{5}$/.test(code)
  if (!fromServer && !error.message.startsWith('Connection terminated') && code?.startsWith('E') !== true) return error
  return refusal(
    'databases/connection-lost',
    place,
    `the database failed in the middle of a migration: ${error.message}`,
    'Deploy again once it is up: what was applied and what was not is read from the database then.',
  )
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

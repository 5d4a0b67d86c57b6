import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import { Secret, scrub } from '../secrets/secret.ts'
import { readAnswers } from './answers.ts'
import { fencedRefusal } from './fenced.ts'
import type { Answer } from './answers.ts'
import type { Host, Outcome, RunOptions } from './host.ts'
import type { Fence, Operation } from './operation.ts'
import { renderScript } from './script.ts'

/** How a `run` operation ended. Of a longer output the last 64 KiB of each stream. */
export interface OperationResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface ActOptions extends Omit<RunOptions, 'onLine' | 'maxOutputBytes'> {
  /** Says in errors what the operations are for: `stage backend`. */
  readonly label?: string
  /**
   * Names of what must not be worked on twice at the same time. The commands of a Drover that was killed go on until
   * they end; operations of the same number that claim the same wait for them.
   */
  readonly claims?: readonly string[]
}

const DEFAULT_TIMEOUT_MS = 120_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const SHOWN_LINES = 5

/**
 * Carries out operations on a host, in order, in one round trip, under the fence. Gives the results of the `run`
 * operations, in order. Throws a Refusal when the host has seen a higher number (`hosts/fenced`, nothing was done),
 * when commands of a lower number do not end (`hosts/fence-busy`, nothing was done), and when an operation fails
 * (`hosts/operation` and its kin; those before it are done, those after it are not).
 */
export async function act(
  host: Host,
  fence: Fence,
  operations: readonly Operation[],
  options: ActOptions = {},
): Promise<readonly OperationResult[]> {
  const { label, claims, ...runOptions } = options
  const script = renderScript(fence, operations, claims)
  const outcome = await host.run(
    {
      program: 'sh',
      argv: ['-s'],
      stdin: new Secret(script),
      summary: [`act as release ${fence.number}`, ...operations.map(describeOperation)].join('; '),
    },
    { timeoutMs: DEFAULT_TIMEOUT_MS, ...runOptions, maxOutputBytes: MAX_ANSWER_BYTES },
  )
  const answers = readAnswers(outcome.stdout)
  if (outcome.ok && answers.at(-1)?.kind === 'done') {
    return answers
      .filter((answer) => answer.kind === 'ran')
      .map(({ exitCode, stdout, stderr }) => ({ exitCode, stdout, stderr }))
  }
  throw explain({ host, fence, operations, label, outcome, answer: answers.at(-1) })
}

/** Tells a host that this number has taken over, without any other change. */
export async function raiseFence(host: Host, fence: Fence, options: ActOptions = {}): Promise<void> {
  await act(host, fence, [], { label: 'take over', ...options })
}

/** The highest number that a host has seen for an environment; 0 before the first. */
export async function readFence(host: Host, root: string, options: RunOptions = {}): Promise<number> {
  const script = 'if [ -e "$1/fence" ]; then cat -- "$1/fence"; else echo 0; fi'
  const outcome = await host.run({ program: 'sh', argv: ['-c', script, 'sh', root] }, options)
  const number = Number.parseInt(outcome.stdout, 10)
  if (!outcome.ok || Number.isNaN(number)) {
    throw refusal(
      'hosts/fence-unreadable',
      `host ${host.name}`,
      `cannot read ${root}/fence: ${lastLines(outcome.stderr)}`,
    )
  }
  return number
}

/** One operation in a few words, without contents. */
export function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'folder':
      return `make folder ${operation.path}`
    case 'write':
      return `write ${operation.path}`
    case 'link':
      return `link ${operation.path} to ${operation.target}`
    case 'remove':
      return `remove ${operation.path}`
  }
  return `run ${[operation.program, ...operation.argv.map(abridge)].join(' ')}`
}

/** An argument may be a whole script. */
function abridge(argument: string): string {
  return argument.length > 100 || argument.includes('\n') ? '…' : argument
}

interface Failed {
  readonly host: Host
  readonly fence: Fence
  readonly operations: readonly Operation[]
  readonly label: string | undefined
  readonly outcome: Outcome
  readonly answer: Answer | undefined
}

function explain(failed: Failed): Refusal {
  const { answer, fence } = failed
  const at = `host ${failed.host.name}${failed.label === undefined ? '' : `, ${failed.label}`}`
  switch (answer?.kind) {
    case 'fenced':
      return fencedRefusal(at, fence, answer.seen)
    case 'busy':
      return refusal(
        'hosts/fence-busy',
        at,
        `commands of an older release are still at work in ${fence.root}`,
        'Nothing was changed. Wait until they have ended (`fuser -v` on the file fence.lock there names them) and try again.',
      )
    case 'broken':
      return refusal(
        'hosts/fence-broken',
        at,
        `${fence.root}/fence does not hold a number`,
        'Write the number of the last release of this environment into it.',
      )
    case 'missing':
      return refusal(
        'hosts/missing-program',
        at,
        `${answer.program} is not installed`,
        'Install the package util-linux.',
      )
    default:
      return explainOperation(failed, at)
  }
}

function explainOperation(failed: Failed, at: string): Refusal {
  const { answer, outcome, operations } = failed
  const index = answer?.kind === 'failed' || answer?.kind === 'ran' ? answer.index : undefined
  if (index === undefined || (outcome.failure !== undefined && outcome.failure !== 'exit')) {
    const what = `the commands were cut off (${outcome.failure ?? 'no answer'}): ${lastLines(outcome.stderr)}`
    return refusal(
      'hosts/cut-off',
      at,
      clean(what, operations),
      'Is the host under heavy load or going down? Every operation may be repeated.',
    )
  }
  const operation = operations[index]
  const what = operation === undefined ? `take the fence in ${failed.fence.root}` : describeOperation(operation)
  const { exitCode, said } = endOf(failed)
  const cause = causeOf(said, exitCode)
  const text = `could not ${shorten(what)} (exit code ${exitCode})${said === '' ? '' : `: ${lastLines(said)}`}`
  return refusal(cause.code, at, clean(text, operations), cause.hint)
}

function endOf({ answer, outcome }: Failed): { exitCode: number; said: string } {
  if (answer?.kind === 'ran') {
    return { exitCode: answer.exitCode, said: answer.stderr.trim() === '' ? answer.stdout : answer.stderr }
  }
  return { exitCode: answer?.kind === 'failed' ? answer.exitCode : 1, said: outcome.stderr }
}

/** Told apart by what coreutils say in the C locale. */
function causeOf(said: string, exitCode: number): { code: string; hint: string } {
  if (/No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(said)) {
    return {
      code: 'hosts/disk-full',
      hint: 'Free space or inodes on the host, then release again; nothing that is live was touched by this.',
    }
  }
  if (/Permission denied|Operation not permitted|Read-only file system|EACCES|EPERM|EROFS/.test(said)) {
    return { code: 'hosts/permission', hint: 'Give the user that Drover works as on this host the right to do this.' }
  }
  if (exitCode === 127) {
    return {
      code: 'hosts/missing-program',
      hint: 'Install the program on the host, or put it on the PATH that Drover sees there.',
    }
  }
  return { code: 'hosts/operation', hint: 'Repeat it once the cause is gone; every operation may be repeated.' }
}

function clean(text: string, operations: readonly Operation[]): string {
  return scrub(text, operations.flatMap(secretsOf))
}

function secretsOf(operation: Operation): Secret[] {
  switch (operation.kind) {
    case 'write':
      return operation.content instanceof Secret ? [operation.content] : []
    case 'run':
      return Object.values(operation.env ?? {}).filter((value) => value instanceof Secret)
    default:
      return []
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-SHOWN_LINES).join('\n')
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

import type { Outcome } from '../problem/problem.ts'
import type { ReleaseOutcome } from '../release/records.ts'

/** What the shell learns. Scripts rely on these numbers: they are never given a second meaning. */
export const EXIT = {
  done: 0,
  internal: 1,
  usage: 2,
  refused: 3,
  restored: 4,
  broken: 5,
  changes: 6,
  drifted: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'a fault of Drover, or the control plane does not answer',
  2: 'bad usage, or drover.yaml has errors; nothing was tried',
  3: 'refused; nothing was changed',
  4: 'failed; what was live before is live again',
  5: 'failed, and what was live before could not be restored: hands are needed',
  6: 'the plan has changes (only with --detailed-exitcode)',
  7: 'a host is not as it was declared, or cannot be looked at',
  130: 'stopped with Ctrl-C: cancelled and restored, or, after a second one, left to go on',
}

/** For the help of a command that can end in these ways; 0 to 2 are possible everywhere. */
export function exitCodesHelp(...codes: readonly ExitCode[]): string {
  const lines = [EXIT.done, EXIT.internal, EXIT.usage, ...codes].map(
    (code) => `  ${String(code).padEnd(4)}${MEANINGS[code]}`,
  )
  return `\nExit codes:\n${lines.join('\n')}`
}

export function exitCodeOf(outcome: Outcome): ExitCode {
  const codes = {
    usage: EXIT.usage,
    refused: EXIT.refused,
    'failed-restored': EXIT.restored,
    'failed-not-restored': EXIT.broken,
  } as const
  return codes[outcome]
}

/** @param interrupted whether it was Ctrl-C in this very command that cancelled it */
export function exitCodeOfRelease(outcome: ReleaseOutcome, interrupted: boolean): ExitCode {
  const cancelled = interrupted ? EXIT.interrupted : EXIT.restored
  const codes = {
    kept: EXIT.done,
    unchanged: EXIT.done,
    refused: EXIT.refused,
    restored: EXIT.restored,
    cancelled,
    broken: EXIT.broken,
  } as const
  return codes[outcome]
}

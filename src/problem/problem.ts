/**
 * A problem is a value: where it is, what is wrong and what to do next. Code collects problems and reports all of
 * them at once; it throws a {@link Refusal} only at the edge where the work cannot go on.
 */
export interface Problem {
  /** Stable machine name, such as `manifest/unknown-key`. The part before the slash is the room that found it. */
  readonly code: string
  /** `error` stops the work, `warning` does not. */
  readonly severity: 'error' | 'warning'
  readonly where: Place
  /** Lower-case, no full stop: `should be an integer, got "3080a"`. */
  readonly what: string
  /** What to do next, one full sentence; may be a question. */
  readonly hint?: string
}

/** Where a problem is. A file position, a path in a document, or the name of the thing: whatever is known. */
export interface Place {
  readonly file?: string
  /** From 1. */
  readonly line?: number
  /** From 1. */
  readonly column?: number
  /** A path inside a document (`services.backend.port`) or a thing's name (`host web-1`, `service backend`). */
  readonly at?: string
}

/**
 * How the work ended for the person who asked; each has an exit code of its own, see `src/cli/exit-codes.ts`.
 * usage: the input was wrong, nothing was tried. refused: understood and declined, nothing was changed.
 * failed-restored: something was changed and has been put back. failed-not-restored: hands are needed.
 */
export type Outcome = 'usage' | 'refused' | 'failed-restored' | 'failed-not-restored'

/** An expected end of the work, with everything that stands in its way. Never a bug: a bug is any other Error. */
export class Refusal extends Error {
  readonly problems: readonly Problem[]
  readonly outcome: Outcome

  constructor(problems: readonly Problem[], outcome: Outcome = 'refused', options?: ErrorOptions) {
    super(problems.map(formatProblem).join('\n'), options)
    this.name = 'Refusal'
    this.problems = problems
    this.outcome = outcome
  }
}

/** One problem as an error, for `throw refusal('hosts/disk-full', 'host web-1', '…', 'Free …')`. */
export function refusal(
  code: string,
  at: string | Place,
  what: string,
  hint?: string,
  options?: ErrorOptions,
): Refusal {
  return new Refusal([problem(code, at, what, hint)], 'refused', options)
}

/** Builds an error-severity problem. */
export function problem(code: string, at: string | Place, what: string, hint?: string): Problem {
  const where = typeof at === 'string' ? { at } : at
  return { code, severity: 'error', where, what, ...(hint === undefined ? {} : { hint }) }
}

/** `drover.yaml:8:15 services.gateway.port: should be an integer, got "80a"` and the hint on a line of its own. */
export function formatProblem(p: Problem): string {
  const head = p.severity === 'warning' ? 'warning: ' : ''
  const hint = p.hint === undefined ? '' : `\n  HINT: ${p.hint}`
  const place = formatPlace(p.where)
  return printable(`${place}${place === '' ? '' : ': '}${head}${p.what}`) + printable(hint)
}

export function formatPlace(place: Place): string {
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined).join(':')
  return [position, place.at].filter((part) => part !== undefined && part !== '').join(' ')
}

/** Orders problems as a reader meets them: by file, line, column, then path; errors before warnings in one place. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compare(a.where.file ?? '', b.where.file ?? '') ||
      (a.where.line ?? 0) - (b.where.line ?? 0) ||
      (a.where.column ?? 0) - (b.where.column ?? 0) ||
      compare(a.where.at ?? '', b.where.at ?? '') ||
      compare(a.severity, b.severity),
  )
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text from files, hosts and commands may carry terminal control characters; they are shown, never obeyed. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

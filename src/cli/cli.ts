import { Refusal, formatProblem, printable } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { Surroundings } from './surroundings.ts'
import { paint } from './text/paint.ts'
import type { Paint } from './text/paint.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly color?: boolean
}

/** A command's voice and ears: results on stdout, everything else on stderr. */
export interface Cli extends Surroundings {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** File named by --config. */
  readonly config: string | undefined
  /** Whether what is printed on stdout has colours. */
  readonly colour: boolean
  readonly paint: Paint
  /** Columns of the terminal; unlimited where there is none. */
  readonly width: number
  /** Lines of a result. */
  print(this: void, text: string): void
  /** A result as one JSON document on one line. */
  document(this: void, value: unknown): void
  /** Something on the way, for a person; nothing with --quiet. */
  note(this: void, text: string): void
}

export function makeCli(surroundings: Surroundings, options: GlobalOptions): Cli {
  const { stdout, stderr, env } = surroundings
  const { json = false, quiet = false, verbose = false } = options
  const colour = wantsColour(env, options, stdout.isTTY === true)
  return {
    ...surroundings,
    json,
    quiet,
    verbose,
    config: options.config,
    colour,
    paint: paint(colour),
    width: stdout.isTTY === true ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY,
    print: (text) => void stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    document: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => {
      if (!quiet) stderr.write(`${text}\n`)
    },
  }
}

/** no-color.org: any value that is not empty. */
export function wantsColour(env: Surroundings['env'], options: GlobalOptions, isTerminal: boolean): boolean {
  if (options.color === false || options.json === true || env['NO_COLOR']) return false
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true
  return isTerminal && env['TERM'] !== 'dumb'
}

/** Problems for a person: each with its place, and what to do on a line of its own. */
export function problemLines(problems: readonly Problem[], { red, yellow, dim }: Paint): string {
  return problems
    .map((problem) => {
      const [head = '', ...rest] = formatProblem(problem).split('\n')
      const mark = problem.severity === 'warning' ? yellow('!') : red('✗')
      return [`${mark} ${head}`, ...rest.map((line) => (line.startsWith('  HINT: ') ? dim(line) : line))].join('\n')
    })
    .join('\n')
}

/** A Refusal for words on the command line that cannot be right. */
export function usage(at: string, what: string, hint?: string): Refusal {
  const problem = {
    code: 'cli/usage',
    severity: 'error',
    where: { at },
    what: printable(what),
    ...(hint === undefined ? {} : { hint }),
  } as const
  return new Refusal([problem], 'usage')
}

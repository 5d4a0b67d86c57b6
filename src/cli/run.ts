import { CommanderError } from 'commander'
import { Refusal, printable } from '../problem/problem.ts'
import { makeCli, problemLines, usage, wantsColour } from './cli.ts'
import { ConnectionLost, ServerFault } from './client/http.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import type { ExitCode } from './exit-codes.ts'
import { buildProgram } from './program.ts'
import type { Surroundings } from './surroundings.ts'
import { paint } from './text/paint.ts'

/** Runs one command line, without the program's own name, and says how the process is to end. Never throws. */
export async function runDrover(words: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let code: ExitCode = EXIT.done
  leaveQuietlyWhenNobodyReads(surroundings)
  const program = buildProgram(surroundings, (ended) => {
    code = ended
  })
  try {
    if (words.length === 0) program.outputHelp()
    else await program.parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done
    return report(error, words, surroundings)
  }
}

/** Tells an error in the way that was asked for: one document with --json, else text on stderr. */
function report(error: unknown, words: readonly string[], surroundings: Surroundings): ExitCode {
  const { stderr, env } = surroundings
  const json = words.includes('--json')
  const verbose = words.includes('-v') || words.includes('--verbose')
  const known = error instanceof CommanderError ? misuse(error) : error
  const paints = paint(wantsColour(env, { color: !words.includes('--no-color') }, stderr.isTTY === true))
  const told = tell(known)
  if (json) makeCli(surroundings, { json }).document({ problems: told.problems, outcome: told.outcome })
  else stderr.write(`${problemLines(told.problems, paints)}\n`)
  if (told.code === EXIT.internal && (verbose || told.unforeseen)) stderr.write(`${printable(stackOf(known))}\n`)
  return told.code
}

interface Told {
  readonly problems: Refusal['problems']
  readonly outcome: Refusal['outcome'] | 'internal'
  readonly code: ExitCode
  /** A bug of this program: its stack is what helps. */
  readonly unforeseen: boolean
}

function tell(error: unknown): Told {
  if (error instanceof Refusal)
    return { problems: error.problems, outcome: error.outcome, code: exitCodeOf(error.outcome), unforeseen: false }
  const internal = { outcome: 'internal', code: EXIT.internal, unforeseen: false } as const
  if (error instanceof ServerFault) return { ...internal, problems: error.problems }
  const place = { severity: 'error', where: { at: 'drover' } } as const
  if (error instanceof ConnectionLost) {
    const hint = 'Does it run? A release under way is not lost: it goes on with the control plane.'
    return { ...internal, problems: [{ ...place, code: 'cli/no-answer', what: error.message, hint }] }
  }
  const what = error instanceof Error ? error.message : String(error)
  return { ...internal, unforeseen: true, problems: [{ ...place, code: 'cli/unforeseen', what }] }
}

/** What commander says of the words, in the grammar of a problem. */
function misuse({ message }: CommanderError): Refusal {
  const [, what = message, meant] = /^(?:error: )?(.*?)\n?(?:\(Did you mean (.*)\))?$/s.exec(message) ?? []
  return usage(
    'drover',
    what,
    meant === undefined
      ? '`drover help` lists the commands, `drover help <command>` its options.'
      : `Did you mean ${meant}`,
  )
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** `drover logs | head`: the reader has seen enough, which is no error. */
function leaveQuietlyWhenNobodyReads({ stdout }: Surroundings): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(EXIT.done)
  })
}

import { stripVTControlCharacters } from 'node:util'
import { quote } from '../hosts/host.ts'
import type { Command, Host, Outcome } from '../hosts/host.ts'
import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import { Secret, scrub } from '../secrets/secret.ts'
import { diskFull, tellsOfFullDisk } from './disk-full.ts'

const FIRST_LINES = 10
const LAST_LINES = 40
const LONGEST_LINE = 2_000
const KEPT_BYTES = 64 * 1024

export interface BuildCommand extends Command {
  /** What to do when the program is not there, one sentence. */
  readonly install: string
}

/** Runs the commands of one build: minimal environment, one time limit for all, output by line, failures explained. */
export interface BuildShell {
  /** Ends when the command has; a Refusal when it fails, with the first and last lines that it printed. */
  run(command: BuildCommand): Promise<Outcome>
  /** A command line of the manifest, in `cwd`, with folders of programs in front of PATH. */
  runLine(
    line: string,
    options: { readonly cwd: string; readonly bins?: readonly string[]; readonly env?: Command['env'] },
  ): Promise<void>
  /** Adds a line to the build's output. */
  say(line: string): void
}

export interface BuildShellOptions {
  readonly host: Host
  /** Name of the service, for refusals. */
  readonly service: string
  readonly environment: Readonly<Record<string, string | Secret>>
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly onLine?: ((line: string) => void) | undefined
}

export function buildShell(options: BuildShellOptions): BuildShell {
  const { host, environment } = options
  const deadline = performance.now() + options.timeoutMs
  const secrets = Object.values(environment).filter((value) => value instanceof Secret)
  let memory = outputMemory()

  function say(line: string): void {
    const shown = scrub(shorten(line), secrets)
    memory.add(stripVTControlCharacters(shown))
    options.onLine?.(shown)
  }

  async function run(command: BuildCommand): Promise<Outcome> {
    memory = outputMemory()
    const outcome = await host.run(
      { ...command, env: { ...environment, ...command.env } },
      {
        timeoutMs: Math.max(1, deadline - performance.now()),
        maxOutputBytes: KEPT_BYTES,
        onLine: say,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    )
    if (!outcome.ok) {
      throw failure(command, outcome, { ...options, memory })
    }
    return outcome
  }

  return {
    run,
    say,
    async runLine(line, { cwd, bins = [], env = {} }) {
      say(`$ ${line}`)
      const path = bins.length === 0 ? '' : `PATH=${quote(bins.join(':'))}:$PATH; export PATH\n`
      await run({ program: 'sh', argv: ['-c', `${path}${line}`], cwd, env, install: 'Install a POSIX shell.' })
    },
  }
}

/** What a command printed first and last: npm tells the cause first and 50 lines of usage after it, compilers the reverse. */
interface OutputMemory {
  add(line: string): void
  lines(): string[]
}

function outputMemory(): OutputMemory {
  const first: string[] = []
  const last: string[] = []
  let between = 0
  return {
    add(line) {
      if (first.length < FIRST_LINES) {
        first.push(line)
        return
      }
      last.push(line)
      if (last.length > LAST_LINES) {
        last.shift()
        between += 1
      }
    },
    lines: () => [...first, ...(between === 0 ? [] : [`… ${between} more lines …`]), ...last],
  }
}

/** What a person needs in order to know why a build failed and what to do. */
function failure(
  command: BuildCommand,
  outcome: Outcome,
  build: BuildShellOptions & { readonly memory: OutputMemory },
): Refusal {
  const where = `service ${build.service}`
  const name = command.program === 'sh' ? 'the build command' : [command.program, ...command.argv.slice(0, 2)].join(' ')
  const lines = build.memory.lines()
  const said = lines.length === 0 ? 'It printed nothing.' : `It printed:\n    ${lines.join('\n    ')}`
  switch (outcome.failure) {
    case 'not-found':
      return refusal(
        'build/no-toolchain',
        where,
        `${command.program} cannot be started on ${build.host.name}`,
        command.install,
      )
    case 'timeout': {
      const seconds = Math.round(build.timeoutMs / 1000)
      return refusal(
        'build/timed-out',
        where,
        `did not end within ${seconds} s, while it ran ${name}`,
        `Does it wait for something? ${said}`,
      )
    }
    case 'aborted':
      return refusal('build/aborted', where, `was told to stop while it ran ${name}`)
    default: {
      const full = lines.some(tellsOfFullDisk)
      return full ? diskFull(where, said) : refusal('build/failed', where, `${name} ended with ${end(outcome)}`, said)
    }
  }
}

function end(outcome: Outcome): string {
  return outcome.signal === undefined ? `exit code ${outcome.exitCode ?? 'unknown'}` : `signal ${outcome.signal}`
}

function shorten(line: string): string {
  return line.length <= LONGEST_LINE ? line : `${line.slice(0, LONGEST_LINE)}… (${line.length} characters)`
}

import { quote } from '../host.ts'
import type { Command, Host, Outcome, Uploaded } from '../host.ts'

export interface PrintingHost extends Host {
  /** One line for everything that was asked of it, in order, without secrets. */
  readonly transcript: readonly string[]
}

/**
 * A host that does nothing: it writes down what it is asked and says that all went well. For dry runs, and for tests
 * that compare what would happen. `answer` gives some commands another outcome.
 */
export function printingHost(
  options: { readonly name?: string; readonly answer?: (command: Command) => Partial<Outcome> | undefined } = {},
): PrintingHost {
  const transcript: string[] = []
  return {
    name: options.name ?? 'printing',
    transcript,
    async run(command, { signal } = {}) {
      if (signal?.aborted === true) {
        return { ...succeeded(''), ok: false, exitCode: undefined, failure: 'aborted' }
      }
      transcript.push(`run ${describeCommand(command)}`)
      // `act` wants to hear that its script came to its end.
      const said = command.summary === undefined ? '' : 'done\n'
      return { ...succeeded(said), ...options.answer?.(command) }
    },
    async probe(probes) {
      transcript.push(...probes.map(({ method = 'GET', port, path }) => `probe ${method} ${port} ${path}`))
      return probes.map(() => ({ status: 200, body: '', durationMs: 0 }))
    },
    async upload(folder, target) {
      transcript.push(`upload ${folder} to ${target}`)
      return LAID
    },
    async uploadAll(parcels) {
      for (const { folder, target } of parcels) {
        transcript.push(`upload ${typeof folder === 'string' ? folder : await folder()} to ${target}`)
      }
      return parcels.map(() => LAID)
    },
    async follow(files, { signal }) {
      transcript.push(...files.map((file) => `follow ${file}`))
      await new Promise<void>((resolve) => {
        if (signal.aborted) {
          resolve()
        }
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    },
    async close() {
      transcript.push('close')
    },
  }
}

const LAID: Uploaded = { bytes: 0, sent: 0, skipped: false }

/** As one would type it; a value of the environment that is a secret shows as redacted. */
function describeCommand(command: Command): string {
  if (command.summary !== undefined) {
    return command.summary
  }
  const variables = Object.entries(command.env ?? {}).map(([name, value]) => `${name}=${quote(String(value))}`)
  const folder = command.cwd === undefined ? '' : ` in ${command.cwd}`
  return [...variables, ...[command.program, ...command.argv].map(quote)].join(' ') + folder
}

function succeeded(stdout: string): Outcome {
  return { ok: true, exitCode: 0, signal: undefined, stdout, stderr: '', durationMs: 0 }
}

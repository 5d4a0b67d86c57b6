import { Command, Option } from 'commander'
import { makeCli } from '../cli.ts'
import type { Cli, GlobalOptions } from '../cli.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { Surroundings } from '../surroundings.ts'

/** Makes the action of a command from its work, which gets the command's own voice and says how it ended. */
export type Act = <A extends unknown[]>(
  work: (cli: Cli, ...args: A) => Promise<ExitCode>,
) => (...args: [...A, Command]) => Promise<void>

export function acting(surroundings: Surroundings, ended: (code: ExitCode) => void): Act {
  return function act<A extends unknown[]>(work: (cli: Cli, ...args: A) => Promise<ExitCode>) {
    return async (...args: [...A, Command]) => {
      const command = args.at(-1)
      const globals: GlobalOptions = command instanceof Command ? command.optsWithGlobals() : {}
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- commander calls with the declared arguments, the options, then itself
      const own = args.slice(0, -1) as A
      ended(await work(makeCli(surroundings, globals), ...own))
    }
  }
}

export function environmentOption(): Option {
  return new Option('-e, --environment <name>', 'the environment, as an option; left out: the only one')
}

/** May be given several times, and hosts may stand together with commas between. */
export function withoutOption(): Option {
  return new Option('--without <host>', 'leave this host as it is, because it is away; may be repeated').argParser(
    (value: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      ...value.split(',').filter((name) => name !== ''),
    ],
  )
}

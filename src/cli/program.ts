import { Command } from 'commander'
import { acting } from './declarations/act.ts'
import { declareBreakGlass } from './declarations/break-glass.ts'
import { declareControlPlaneCommands } from './declarations/control-plane.ts'
import { declareHostCommands } from './declarations/hosts.ts'
import { declareManifestCommands } from './declarations/manifest.ts'
import { declareReleaseCommands } from './declarations/releases.ts'
import { declareRunningCommands } from './declarations/running.ts'
import type { ExitCode } from './exit-codes.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * The command line. Only declared here: each command's work is imported when it is run, so that help is there at
 * once. Every action reports its exit code through `ended`.
 */
export function buildProgram(surroundings: Surroundings, ended: (code: ExitCode) => void): Command {
  const program = new Command('drover')
  program
    .description('Releases a fleet of services as one set, without a dropped request, and takes it back.')
    .version(surroundings.version, '-V, --version', 'print the version')
    .option('-c, --config <file>', 'the manifest; default: drover.yaml here or above')
    .option('--json', 'print one JSON document; JSON lines for what goes on')
    .option('-q, --quiet', 'print results and errors only')
    .option('-v, --verbose', 'print more: outputs of builds, causes of errors')
    .option('--no-color', 'print without colours; so does NO_COLOR')
    .helpOption('-h, --help', 'print help')
    .addHelpCommand(
      new Command('help').argument('[command]').summary('print help of a command').helpGroup('Control plane:'),
    )
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      // Errors are told as problems, like all others.
      writeErr: () => {},
      getOutHelpWidth: () => surroundings.stdout.columns ?? 80,
      getOutHasColors: () => false,
    })
    .addHelpText('after', WORDS)

  const act = acting(surroundings, ended)
  declareManifestCommands(program, act)
  declareReleaseCommands(program, act)
  declareRunningCommands(program, act)
  declareHostCommands(program, act)
  declareBreakGlass(program, act)
  declareControlPlaneCommands(program, act)
  return program
}

const WORDS = `
Environment:
  DROVER_URL, DROVER_TOKEN  a control plane elsewhere; default: the one of this machine
  DROVER_HOME               where the one of this machine keeps its data
  DROVER_ACTOR              who asks, for the record; default: the user
  DATABASE_URL              a PostgreSQL for it; default: one of its own
  DROVER_SSH_CONFIG         an ssh configuration for it; default: the user's
  NO_COLOR                  no colours`

import type { Command } from 'commander'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type { EnvironmentOptions, LogsOptions, TeardownOptions } from '../options.ts'
import { environmentOption } from './act.ts'
import type { Act } from './act.ts'

/** Commands about what runs on the hosts. */
export function declareRunningCommands(program: Command, act: Act): void {
  program.commandsGroup('What runs:')
  program
    .command('status [environment]')
    .summary('show what runs where, by what the hosts say now')
    .description('Show what runs where, by what the hosts say now.')
    .addOption(environmentOption())
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, environment: string | undefined, options: EnvironmentOptions) =>
        (await import('../commands/status.ts')).status(cli, environment, options),
      ),
    )
  program
    .command('logs [environment] [services...]')
    .summary('print the last lines of the running services')
    .description('Print the last lines of the running services.')
    .addOption(environmentOption())
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --lines <count>', 'of each service', '50')
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, first: string | undefined, services: string[], options: LogsOptions) =>
        (await import('../commands/logs.ts')).logs(cli, [first, ...services], options),
      ),
    )
  program
    .command('teardown [environment]')
    .summary('stop every service of an environment and its router')
    .description('Stop every service of an environment and its router; artifacts and records stay.')
    .addOption(environmentOption())
    .option('--yes', 'needed, because users are cut off')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.broken))
    .action(
      act(async (cli, environment: string | undefined, options: TeardownOptions) =>
        (await import('../commands/teardown.ts')).teardown(cli, environment, options),
      ),
    )
}

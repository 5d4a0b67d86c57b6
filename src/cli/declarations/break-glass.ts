import type { Command } from 'commander'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type { BreakGlassOptions } from '../options.ts'
import type { Act } from './act.ts'

/** What is left when the control plane and its database are gone. */
export function declareBreakGlass(program: Command, act: Act): void {
  const glass = program
    .command('break-glass')
    .summary('act on one host without a control plane, when there is none')
    .description('Act on one host without a control plane and its database, by what the host itself knows.')
    .helpCommand(false)
    .usage('rollback <environment>')
  glass
    .command('rollback <environment>')
    .summary('take one host back to a release that was kept on it')
    .description(
      'Take one host back to a release that was kept on it: starts that set beside the live one, waits until it is ready, and switches. Whatever control plane may still be at work is shut out.',
    )
    .requiredOption('--host <host>', 'its name in drover.yaml, or what ssh calls it')
    .option('--to <release>', 'the release; left out: the one before the live one')
    .option(
      '--root <folder>',
      "the environment's folder there; left out: what drover.yaml says, else below /srv/drover",
    )
    .option('--fleet <name>', 'left out: the one of drover.yaml, else the one that has this environment there')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.broken))
    .action(
      act(async (cli, environment: string, options: BreakGlassOptions) =>
        (await import('../commands/break-glass.ts')).breakGlassRollback(cli, environment, options),
      ),
    )
}

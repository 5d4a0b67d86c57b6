import type { Command } from 'commander'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type {
  DeployOptions,
  EnvironmentOptions,
  PlanOptions,
  ReleaseOptions,
  ReleasesOptions,
  RollbackOptions,
} from '../options.ts'
import { environmentOption, withoutOption } from './act.ts'
import type { Act } from './act.ts'

/** Commands that plan, make, undo and show releases. */
export function declareReleaseCommands(program: Command, act: Act): void {
  program.commandsGroup('Releases:')
  program
    .command('plan [environment]')
    .summary('show what a release would do, without doing it')
    .description('Show what a release would do, without doing it.')
    .addOption(environmentOption())
    .option('--ref <ref>', "branch, tag or commit; default: the environment's branch")
    .addOption(withoutOption())
    .option('--steps', 'with --json: every step too')
    .option('--detailed-exitcode', 'end with 6 when there are changes')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.changes))
    .action(
      act(async (cli, environment: string | undefined, options: PlanOptions) =>
        (await import('../commands/plan.ts')).plan(cli, environment, options),
      ),
    )
  program
    .command('deploy [environment]')
    .summary('release a commit and follow it to its end')
    .description('Release a commit to an environment and follow it to its end.')
    .addOption(environmentOption())
    .option('--ref <ref>', "branch, tag or commit; default: the environment's branch")
    .option('--reason <text>', 'why, for the record')
    .addOption(withoutOption())
    .option('--plan <hash>', 'only if the plan is still this one')
    .option('--detach', 'ask for the release and do not follow it')
    .option('-y, --yes', 'do not ask; without a terminal nothing is asked anyway')
    .addHelpText('after', CTRL_C + exitCodesHelp(EXIT.refused, EXIT.restored, EXIT.broken, EXIT.interrupted))
    .action(
      act(async (cli, environment: string | undefined, options: DeployOptions) =>
        (await import('../commands/deploy.ts')).deploy(cli, environment, options),
      ),
    )
  program
    .command('rollback [environment] [release]')
    .summary('go back to the release before, or to the one named')
    .description('Go back to a kept release: the one before the live one, or the one named.')
    .addOption(environmentOption())
    .option('--service <name>', 'only this service; shown as a deviation until the next release')
    .addOption(withoutOption())
    .option('--reason <text>', 'why, for the record')
    .option('--detach', 'ask for the release and do not follow it')
    .addHelpText('after', CTRL_C + exitCodesHelp(EXIT.refused, EXIT.restored, EXIT.broken, EXIT.interrupted))
    .action(
      act(async (cli, first: string | undefined, second: string | undefined, options: RollbackOptions) =>
        (await import('../commands/rollback.ts')).rollback(cli, [first, second], options),
      ),
    )
  program
    .command('cancel [environment] [release]')
    .summary('stop the release that is under way and go back')
    .description('Stop the release that is under way and go back; waits until that is done.')
    .addOption(environmentOption())
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.broken))
    .action(
      act(async (cli, first: string | undefined, second: string | undefined, options: EnvironmentOptions) =>
        (await import('../commands/cancel.ts')).cancel(cli, [first, second], options),
      ),
    )
  program
    .command('releases [environment]')
    .summary('list the releases of an environment, newest first')
    .description('List the releases of an environment, newest first.')
    .addOption(environmentOption())
    .option('-n, --number <count>', 'how many', '20')
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, environment: string | undefined, options: ReleasesOptions) =>
        (await import('../commands/releases.ts')).releases(cli, environment, options),
      ),
    )
  program
    .command('release [environment] [release]')
    .summary('show one release: what it changed, how it ended, why')
    .description('Show one release: what it changed, how it ended, and why; default: the newest.')
    .addOption(environmentOption())
    .option('-f, --follow', 'follow one that is under way; Ctrl-C leaves it alone')
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, first: string | undefined, second: string | undefined, options: ReleaseOptions) =>
        (await import('../commands/release.ts')).release(cli, [first, second], options),
      ),
    )
}

const CTRL_C =
  '\nCtrl-C asks the release to cancel and go back, and follows until that is done.\nA second Ctrl-C leaves it to itself.\n'

import type { Command } from 'commander'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type { ServeOptions } from '../options.ts'
import type { Act } from './act.ts'

/** Commands about the control plane itself, and the shell's completion. */
export function declareControlPlaneCommands(program: Command, act: Act): void {
  program.commandsGroup('Control plane:')
  program
    .command('serve')
    .summary('run the control plane in the foreground')
    .description(
      'Run the control plane until Ctrl-C; other commands start one when none runs. It reaches hosts by the ssh configuration of its user, or by the file that DROVER_SSH_CONFIG names.',
    )
    .option('--host <address>', 'loopback address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0: a free one', '4747')
    .option('--home <folder>', 'where it keeps its data; default: DROVER_HOME')
    .option('--database-url <url>', 'PostgreSQL to use; default: DATABASE_URL, else one of its own')
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(act(async (cli, options: ServeOptions) => (await import('../commands/serve.ts')).serve(cli, options)))
  program
    .command('stop')
    .summary('stop the control plane of this machine')
    .description('Stop the control plane of this machine; a release under way goes on at the next start.')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli) => (await import('../commands/stop.ts')).stop(cli)))
  program
    .command('completion <shell>')
    .summary('print the completion of bash, zsh or fish')
    .description('Print what makes bash, zsh or fish complete commands and environments.')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli, shell: string) => (await import('../commands/completion.ts')).completion(cli, shell)))
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(
      act(async (cli, words: string[]) => (await import('../commands/completion.ts')).complete(cli, program, words)),
    )
}

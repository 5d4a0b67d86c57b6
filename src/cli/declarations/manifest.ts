import type { Command } from 'commander'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type { Act } from './act.ts'

/** Commands that need nothing but the working tree. */
export function declareManifestCommands(program: Command, act: Act): void {
  program.commandsGroup('Manifest:')
  program
    .command('init')
    .summary('write a draft of drover.yaml for this repository')
    .description('Write a draft of drover.yaml from what lies in this repository.')
    .option('--force', 'replace a drover.yaml that is there')
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(act(async (cli, options: { force?: boolean }) => (await import('../commands/init.ts')).init(cli, options)))
  program
    .command('check [file]')
    .summary('tell every fault of drover.yaml, with line and column')
    .description('Check drover.yaml; tells every fault at once, with its line and column.')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli, file: string | undefined) => (await import('../commands/check.ts')).check(cli, file)))
  program
    .command('docs [section]')
    .summary('explain every key of drover.yaml, or of one section')
    .description('Explain every key of drover.yaml, or of one section.')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli, section: string | undefined) => (await import('../commands/docs.ts')).docs(cli, section)))
  program
    .command('schema')
    .summary('print the JSON Schema of drover.yaml, for editors')
    .description('Print the JSON Schema of drover.yaml, for editors.')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli) => (await import('../commands/docs.ts')).schema(cli)))
  program
    .command('graph')
    .summary('show in which order services start')
    .description('Show in which order services start, and what each needs.')
    .option('--dot', 'print it for Graphviz')
    .addHelpText('after', exitCodesHelp())
    .action(act(async (cli, options: { dot?: boolean }) => (await import('../commands/graph.ts')).graph(cli, options)))
}

import { Option } from 'commander'
import type { Command } from 'commander'
import { nearMiss } from '../../problem/near-miss.ts'
import { usage } from '../cli.ts'
import { EXIT, exitCodesHelp } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type {
  DriftOptions,
  HealOptions,
  HostsAddOptions,
  HostsBootstrapOptions,
  HostsCheckOptions,
} from '../options.ts'
import { environmentOption } from './act.ts'
import type { Act } from './act.ts'

/** Commands about the machines themselves. */
export function declareHostCommands(program: Command, act: Act): void {
  program.commandsGroup('Hosts:')
  const hosts = program
    .command('hosts')
    .summary('add servers, look at them, make them ready, heal them, find drift')
    .description(
      'Add servers to drover.yaml, look at them, make them ready for releases, heal those that were away, and find what is not as it was declared.',
    )
    .helpCommand(false)
    .usage('<command>')
    .argument('[command]')
    .action(act(async (_cli, word: string | undefined) => withoutCommand(hosts, word)))
  hosts
    .command('add <name> <destination>')
    .summary('write a server into drover.yaml, once it has answered')
    .description(
      'Write a server into drover.yaml, once it has answered. The destination is how you log in today, as in an argument of ssh.',
    )
    .option('-l, --label <label...>', 'words by which environments and services name it together with others')
    .option('-p, --port <port>', 'port of its ssh server; left out: what your ssh configuration says')
    .option('--address <address>', 'where the other hosts reach it; left out: where ssh connects to')
    .option('--user <name>', 'whom Drover shall log in as; left out: drover, where the destination is an administrator')
    .addOption(asOption())
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, name: string, destination: string, options: HostsAddOptions) =>
        (await import('../commands/hosts-add.ts')).addHostCommand(cli, { name, destination }, options),
      ),
    )
  hosts
    .command('list [environment]')
    .summary('list the hosts of drover.yaml, and what each is like now')
    .description('List the hosts of drover.yaml, or of one environment, and what each is like now.')
    .addHelpText('after', exitCodesHelp())
    .action(
      act(async (cli, environment: string | undefined) =>
        (await import('../commands/hosts-list.ts')).listHosts(cli, environment),
      ),
    )
  hosts
    .command('check [names...]')
    .summary('tell what a host lacks, one line each')
    .description('Tell what each host has and lacks; all of them, or those that are named. Changes nothing.')
    .addOption(asOption())
    .addHelpText('after', exitCodesHelp(EXIT.refused))
    .action(
      act(async (cli, names: string[], options: HostsCheckOptions) =>
        (await import('../commands/hosts-check.ts')).checkHosts(cli, names, options),
      ),
    )
  hosts
    .command('bootstrap <names...>')
    .summary('make servers ready for releases, after showing what that takes')
    .description(
      'Make servers ready for releases: shows what each lacks, asks, and puts it right. May be repeated; a host that is ready is left alone.',
    )
    .addOption(asOption())
    .option('--key <file>', 'public keys that shall log in for Drover; left out: the one that logs in now')
    .option('--yes', 'do not ask; without a terminal nothing is done unless this is said')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.restored))
    .action(
      act(async (cli, names: string[], options: HostsBootstrapOptions) =>
        (await import('../commands/hosts-bootstrap.ts')).bootstrapHosts(cli, names, options),
      ),
    )
  hosts
    .command('heal [environment] [host]')
    .summary('bring a host that was away to what is live on the others')
    .description(
      'Bring a host that was away to what is live on the others. Until then they send it nothing; Drover does it by itself when the host answers again.',
    )
    .addOption(environmentOption())
    .option('--reason <text>', 'why, for the record')
    .option('--detach', 'ask for it and do not follow it')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.restored, EXIT.broken, EXIT.interrupted))
    .action(
      act(async (cli, first: string | undefined, second: string | undefined, options: HealOptions) =>
        (await import('../commands/hosts-heal.ts')).healHost(cli, [first, second], options),
      ),
    )
  hosts
    .command('drift [environment]')
    .summary('tell what of the hosts is not as the live release has it')
    .description(
      'Tell what of the hosts is not as the live release has it: slots, artifacts, environments, units, the router, what boots. Changes nothing.',
    )
    .addOption(environmentOption())
    .option('--deep', 'read every file of what is live; without it only those that somebody has written to since')
    .addHelpText('after', exitCodesHelp(EXIT.refused, EXIT.drifted))
    .action(
      act(async (cli, environment: string | undefined, options: DriftOptions) =>
        (await import('../commands/hosts-drift.ts')).hostsDrift(cli, environment, options),
      ),
    )
}

/** Help, or what may have been meant. */
function withoutCommand(hosts: Command, word: string | undefined): ExitCode {
  if (word === undefined) {
    hosts.outputHelp()
    return EXIT.done
  }
  const names = hosts.commands.map((command) => command.name())
  const near = nearMiss(word, names)
  const hint = near === undefined ? `There are ${names.join(', ')}.` : `Did you mean ${near}?`
  throw usage('drover hosts', `unknown command '${word}'`, hint)
}

function asOption(): Option {
  return new Option('--as <user>', 'log in as somebody who may use sudo: a user, or user@address')
}

import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { hostsDeclared, namedHosts } from '../declared.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { HostsCheckOptions } from '../options.ts'
import { hostText, readyText } from '../text/host-text.ts'

/** What each host has and lacks. */
export async function checkHosts(cli: Cli, names: readonly string[], options: HostsCheckOptions): Promise<ExitCode> {
  const declared = await hostsDeclared(cli)
  const wanted = names.length === 0 ? declared : namedHosts(declared, names)
  const client = await connect(cli)
  const { as } = options
  const hosts = await Promise.all(wanted.map((host) => client.look(host, as === undefined ? {} : { as })))
  const ready = hosts.every((host) => host.ready)
  if (cli.json) {
    cli.document({ hosts, ready })
    return ready ? EXIT.done : EXIT.refused
  }
  if (hosts.length === 0) {
    cli.print('drover.yaml names no hosts; `drover hosts add <name> <destination>` adds one')
    return EXIT.done
  }
  cli.print(hosts.map((host) => hostText(host, { width: cli.width, paints: cli.paint })).join('\n\n'))
  const lacking = hosts.filter((host) => host.reachable && !host.ready).map(({ name }) => name)
  const next = lacking.length === 0 ? '' : `; \`drover hosts bootstrap ${lacking.join(' ')}\` says what can be done`
  cli.print(`\n${ready ? cli.paint.green('✓') : cli.paint.red('✗')} ${readyText(hosts)}${next}`)
  return ready ? EXIT.done : EXIT.refused
}

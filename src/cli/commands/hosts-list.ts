import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { hostsDeclared } from '../declared.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { problemLines } from '../cli.ts'
import { targetOf } from '../target.ts'
import { hostsTable } from '../text/host-text.ts'

/** The hosts of the manifest, or of an environment, as they are now. */
export async function listHosts(cli: Cli, name: string | undefined): Promise<ExitCode> {
  const declared = await hostsDeclared(cli)
  const client = await connect(cli)
  const target = name === undefined ? undefined : await targetOf(cli, client, { words: [name] })
  const wanted = declared.filter(
    ({ environments }) =>
      target === undefined || environments.some((each) => each.name === target.environment.environment),
  )
  const hosts = await Promise.all(wanted.map((host) => client.look(host)))
  if (cli.json) cli.document({ hosts })
  else if (hosts.length === 0) cli.print('drover.yaml names no hosts; `drover hosts add <name> <destination>` adds one')
  else {
    cli.print(hostsTable(hosts, { width: cli.width, paints: cli.paint }))
    const away = hosts.flatMap(({ problems }) => problems)
    if (away.length > 0) cli.print(`\n${problemLines(away, cli.paint)}`)
  }
  return EXIT.done
}

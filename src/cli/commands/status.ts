import type { StatusDocument } from '../../release/documents.ts'
import type { EnvironmentRef } from '../../release/records.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { EnvironmentOptions } from '../options.ts'
import { chooseEnvironment, knownEnvironments } from '../target.ts'
import { statusText } from '../text/status-text.ts'
import { given } from './given.ts'

/** What runs where: of one environment, or of all of the fleet. */
export async function status(cli: Cli, name: string | undefined, options: EnvironmentOptions): Promise<ExitCode> {
  const client = await connect(cli)
  const wanted = await environmentsWanted(cli, client, given([name ?? options.environment]))
  const environments = await Promise.all(wanted.map((environment) => statusOf(client, environment)))
  if (cli.json) cli.document({ environments })
  else if (environments.length === 0) cli.print('nothing has been released yet')
  else
    cli.print(
      environments
        .map((each) => statusText(each, { width: cli.width, paints: cli.paint, now: Date.now() }))
        .join('\n\n'),
    )
  return EXIT.done
}

async function environmentsWanted(
  cli: Cli,
  client: Client,
  words: readonly string[],
): Promise<readonly EnvironmentRef[]> {
  const known = await knownEnvironments(cli, client)
  return words.length === 0 ? known : [chooseEnvironment(known, { words }).environment]
}

function statusOf(client: Client, environment: EnvironmentRef): Promise<StatusDocument> {
  return client.status(environment)
}

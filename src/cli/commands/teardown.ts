import { actorOf } from '../actor.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { TeardownOptions } from '../options.ts'
import { targetOf } from '../target.ts'
import { given } from './given.ts'

/** Stops everything of an environment. */
export async function teardown(cli: Cli, name: string | undefined, options: TeardownOptions): Promise<ExitCode> {
  if (options.yes !== true)
    throw usage(
      'drover teardown',
      'stops every service of the environment and cuts its users off',
      'Add --yes if that is what you want.',
    )
  const client = await connect(cli)
  const { environment } = await targetOf(cli, client, { words: given([name]), option: options.environment })
  await client.teardown(environment, actorOf(cli))
  if (cli.json) cli.document(environment)
  else
    cli.print(
      `${cli.paint.green('✓')} ${environment.fleet}/${environment.environment} is stopped; \`drover deploy ${environment.environment}\` brings it back`,
    )
  return EXIT.done
}

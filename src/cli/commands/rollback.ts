import type { Request } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { RollbackOptions } from '../options.ts'
import { releaseNumber, targetOf } from '../target.ts'
import { followRelease, leave } from './follow-release.ts'
import { given } from './given.ts'

/** Goes back to a kept release, wholly or with one service. */
export async function rollback(
  cli: Cli,
  words: readonly (string | undefined)[],
  options: RollbackOptions,
): Promise<ExitCode> {
  const client = await connect(cli)
  const { environment, rest } = await targetOf(cli, client, { words: given(words), option: options.environment })
  const [word, ...others] = rest
  if (others.length > 0) throw usage('drover rollback', `does not know what to do with ${JSON.stringify(others[0])}`)
  const { service, reason, without } = options
  const to = word === undefined ? {} : { to: releaseNumber(word) }
  const request: Request = {
    order: {
      goal: 'rollback',
      ...to,
      ...(service === undefined ? {} : { service }),
      ...(without === undefined ? {} : { without }),
    },
    actor: actorOf(cli),
    ...(reason === undefined ? {} : { reason }),
  }
  const release = await client.request(environment, request)
  return options.detach === true ? leave(cli, release) : followRelease(cli, client, release, { interrupt: 'cancel' })
}

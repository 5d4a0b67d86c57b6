import type { Request } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { HealOptions } from '../options.ts'
import { targetOf } from '../target.ts'
import { followRelease, leave } from './follow-release.ts'
import { given } from './given.ts'

/** Brings one host to what is live on the others, with a release of its own. */
export async function healHost(
  cli: Cli,
  words: readonly (string | undefined)[],
  options: HealOptions,
): Promise<ExitCode> {
  const client = await connect(cli)
  const { environment, rest } = await targetOf(cli, client, { words: given(words), option: options.environment })
  const [host, ...others] = rest
  if (host === undefined)
    throw usage('drover hosts heal', 'needs the name of a host', 'Which one? `drover status` names them.')
  if (others.length > 0) throw usage('drover hosts heal', `does not know what to do with ${JSON.stringify(others[0])}`)
  const request: Request = {
    order: { goal: 'heal', host },
    actor: actorOf(cli),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  }
  const release = await client.request(environment, request)
  return options.detach === true ? leave(cli, release) : followRelease(cli, client, release, { interrupt: 'cancel' })
}

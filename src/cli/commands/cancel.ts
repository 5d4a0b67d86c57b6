import { refusal } from '../../problem/problem.ts'
import type { EnvironmentRef } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { follow } from '../live/follow.ts'
import type { EnvironmentOptions } from '../options.ts'
import { releaseNumber, targetOf } from '../target.ts'
import { given } from './given.ts'

/** Asks a release to go back and waits until it has. */
export async function cancel(
  cli: Cli,
  words: readonly (string | undefined)[],
  options: EnvironmentOptions,
): Promise<ExitCode> {
  const client = await connect(cli)
  const { environment, rest } = await targetOf(cli, client, { words: given(words), option: options.environment })
  const number = rest[0] === undefined ? await underWay(client, environment) : releaseNumber(rest[0])
  const release = await client.cancel({ ...environment, number }, actorOf(cli))
  cli.note(`release ${number} is asked to go back; it is in the step ${release.phase}`)
  const followed = await follow(cli, client, release, { interrupt: 'leave' })
  if (followed.how !== 'ended') return followed.how === 'left' ? EXIT.interrupted : EXIT.internal
  if (followed.outcome === 'broken') return EXIT.broken
  // Too late: what was to be stopped had happened.
  return followed.outcome === 'kept' ? EXIT.refused : EXIT.done
}

/** The release that holds the environment; the one that a person means who names none. */
async function underWay(client: Client, environment: EnvironmentRef): Promise<number> {
  const { active } = await client.status(environment)
  if (active !== undefined) return active.number
  throw refusal(
    'cli/nothing-under-way',
    `${environment.fleet}/${environment.environment}`,
    'no release is under way',
    `\`drover releases ${environment.environment}\` lists those that were.`,
  )
}

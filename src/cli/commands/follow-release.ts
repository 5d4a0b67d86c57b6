import type { ReleaseDocument } from '../../release/documents.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { EXIT, exitCodeOfRelease } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { follow } from '../live/follow.ts'
import type { FollowOptions } from '../live/follow.ts'

/** Follows a release for a command that made or shows it, and says what that means for the shell. */
export async function followRelease(
  cli: Cli,
  client: Client,
  release: ReleaseDocument,
  options: FollowOptions,
): Promise<ExitCode> {
  const followed = await follow(cli, client, release, options)
  if (followed.how === 'ended') return exitCodeOfRelease(followed.outcome, followed.interrupted)
  const name = `release ${release.number} of ${release.fleet}/${release.environment}`
  const again = `follow it with: drover release ${release.environment} ${release.number} --follow`
  if (followed.how === 'left') {
    cli.note(`${name} goes on without this terminal; ${again}`)
    return EXIT.interrupted
  }
  cli.note(`the control plane was stopped or stays away; ${name} goes on when it is started again; ${again}`)
  return EXIT.internal
}

/** For --detach: says what was asked for and ends. */
export function leave(cli: Cli, release: ReleaseDocument): ExitCode {
  if (cli.json) cli.document({ release })
  else
    cli.print(
      `release ${release.number} of ${release.fleet}/${release.environment} is asked for; follow it with: drover release ${release.environment} ${release.number} --follow`,
    )
  return EXIT.done
}

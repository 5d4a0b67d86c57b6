import type { EnvironmentRef, Request } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import type { Cli } from '../cli.ts'
import { repositoryAround, requireFleet } from '../manifest-file.ts'
import { chooseEnvironment, environmentsOf } from '../target.ts'

/** What a plan or a deploy asks for: a commit of the repository that the manifest lies in, for one of its environments. */
export interface Wanted {
  readonly environment: EnvironmentRef
  readonly request: Request
}

export interface WantedOptions {
  readonly environment?: string
  readonly ref?: string
  readonly reason?: string
}

export async function wantedDeploy(cli: Cli, environment: string | undefined, options: WantedOptions): Promise<Wanted> {
  const { fleet, folder } = await requireFleet(cli)
  const words = environment === undefined ? [] : [environment]
  const target = chooseEnvironment(environmentsOf(fleet), { words, option: options.environment })
  const repository = await repositoryAround(folder)
  const { ref, reason } = options
  return {
    environment: target.environment,
    request: {
      order: { goal: 'deploy', repository, ...(ref === undefined ? {} : { ref }) },
      actor: actorOf(cli),
      ...(reason === undefined ? {} : { reason }),
    },
  }
}

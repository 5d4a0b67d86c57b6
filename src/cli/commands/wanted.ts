import type { EnvironmentRef, Request } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import type { Cli } from '../cli.ts'
import { findOutline, repositoryAround, requireFleet } from '../manifest-file.ts'
import type { ManifestOutline } from '../manifest-file.ts'
import { chooseEnvironment } from '../target.ts'

/** What a plan or a deploy asks for: a commit of the repository that the manifest lies in, for one of its environments. */
export interface Wanted {
  readonly environment: EnvironmentRef
  readonly request: Request
}

export interface WantedOptions {
  readonly environment?: string
  readonly ref?: string
  readonly reason?: string
  readonly without?: readonly string[]
}

export async function wantedDeploy(cli: Cli, environment: string | undefined, options: WantedOptions): Promise<Wanted> {
  // What is released is a commit, which the control plane checks; the file here only says which fleet is meant.
  const { environments, folder } = (await findOutline(cli)) ?? (await outlineOf(cli))
  const words = environment === undefined ? [] : [environment]
  const target = chooseEnvironment(environments, { words, option: options.environment })
  const repository = await repositoryAround(folder)
  const { ref, reason, without } = options
  return {
    environment: target.environment,
    request: {
      order: {
        goal: 'deploy',
        repository,
        ...(ref === undefined ? {} : { ref }),
        ...(without === undefined ? {} : { without }),
      },
      actor: actorOf(cli),
      ...(reason === undefined ? {} : { reason }),
    },
  }
}

/** Where the names do not show plainly: every complaint about the file, and in the odd case none. */
async function outlineOf(cli: Cli): Promise<Pick<ManifestOutline, 'environments' | 'folder'>> {
  const { fleet, folder } = await requireFleet(cli)
  return { folder, environments: fleet.environments.map(({ name }) => ({ fleet: fleet.name, environment: name })) }
}

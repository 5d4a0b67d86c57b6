import { Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { LookedUp } from '../build/build-service.ts'
import { runsOnce } from '../manifest/placement.ts'
import { configure } from './configure.ts'
import type { Configuration } from './configure.ts'
import type { Context } from './context.ts'
import type { WantedService } from './plan.ts'
import type { Blueprint, EnvironmentRef, Order, ReleaseSet } from './records.ts'
import { ownKey } from './scope.ts'

/** The configuration of every service; a Refusal with every missing secret of all of them. */
export async function configureAll(
  context: Context,
  environment: EnvironmentRef,
  blueprint: Blueprint,
): Promise<Map<string, Configuration>> {
  const services = new Map(blueprint.services.map((service) => [service.name, service]))
  const secrets = await context.secrets.read(environment)
  const shared = {
    ...environment,
    services,
    stores: blueprint.stores,
    secrets,
    secretsPlace: context.secrets.place(environment),
    key: await ownKey(context),
  }
  const configurations = new Map<string, Configuration>()
  const problems: Problem[] = []
  for (const service of blueprint.services) {
    const result = configure({ ...shared, service })
    configurations.set(service.name, result.configuration)
    problems.push(...result.problems)
  }
  if (problems.length > 0) throw new Refusal(problems)
  return configurations
}

export interface WantedInput {
  readonly blueprint: Blueprint
  readonly goal: Order['goal']
  /** Without an artifact for a service that has still to be built. */
  readonly versions: ReadonlyMap<string, LookedUp>
  readonly configs: ReadonlyMap<string, string>
  readonly reasons: Readonly<Record<string, readonly string[]>>
  /** The set that is live, to tell whose migration has to run. */
  readonly live: ReleaseSet | undefined
}

/** The set that a release wants, in the words of the plan. */
export function wantedServices(input: WantedInput): WantedService[] {
  return input.blueprint.services.map((service) => {
    const { artifact, inputs = '' } = input.versions.get(service.name) ?? {}
    const migrates =
      input.goal === 'deploy' &&
      service.migrate !== undefined &&
      input.live?.[service.name]?.artifact.id !== artifact?.id
    return {
      name: service.name,
      source: inputs,
      config: input.configs.get(service.name) ?? '',
      needs: service.needs,
      swaps: runsOnce(service),
      hosts: new Set(service.hosts),
      reasons: input.reasons[service.name] ?? [],
      ...(artifact === undefined ? {} : { artifact: artifact.id }),
      ...(migrates ? { migrates: service.migrate.store } : {}),
    }
  })
}

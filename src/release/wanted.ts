import { Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { LookedUp } from '../build/build-service.ts'
import type { PlacedService } from '../manifest/fleet.ts'
import { runsOnce } from '../manifest/placement.ts'
import { configure } from './configure.ts'
import type { Configuration } from './configure.ts'
import type { Context } from './context.ts'
import type { WantedService } from './plan.ts'
import type { Blueprint, EnvironmentRef, Order, ReleaseSet } from './records.ts'
import { concerns, ownKey } from './scope.ts'

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
  readonly order: Order
  /** Without an artifact for a service that has still to be built. */
  readonly versions: ReadonlyMap<string, LookedUp>
  readonly configs: ReadonlyMap<string, string>
  readonly reasons: Readonly<Record<string, readonly string[]>>
  /** The set that is live, to tell whose migration has to run. */
  readonly live: ReleaseSet | undefined
}

/** The set that a release wants, in the words of the plan, on the hosts that it concerns. */
export function wantedServices(input: WantedInput): WantedService[] {
  return input.blueprint.services.map((service) => {
    const { artifact, inputs = '' } = input.versions.get(service.name) ?? {}
    return {
      name: service.name,
      source: inputs,
      config: input.configs.get(service.name) ?? '',
      needs: service.needs,
      swaps: runsOnce(service),
      hosts: new Set(service.hosts.filter((host) => concerns(input.order, host))),
      reasons: input.reasons[service.name] ?? [],
      ...(artifact === undefined ? {} : { artifact: artifact.id }),
      ...(migrates(service, artifact?.id, input) ? { migrates: service.migrate!.store } : {}),
    }
  })
}

/** A host that was left out may be the only one of a service, whose migration has not run then. */
function migrates(service: PlacedService, artifact: string | undefined, { order, live }: WantedInput): boolean {
  if (service.migrate === undefined) return false
  if (order.goal === 'heal') return service.hosts.every((host) => host === order.host)
  return order.goal === 'deploy' && live?.[service.name]?.artifact.id !== artifact
}

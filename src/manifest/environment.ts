import { nearMiss } from '../problem/near-miss.ts'
import { refusal } from '../problem/problem.ts'
import type { Environment, Fleet, HostDefinition, PlacedService, Service, Store, Value } from './fleet.ts'
import { hostWords, placement } from './placement.ts'

/** A fleet as one environment has it. */
export interface ResolvedEnvironment {
  readonly environment: Environment
  /** In the environment's order. */
  readonly hosts: readonly HostDefinition[]
  /** With the environment's ports, and with all its variables merged in. */
  readonly services: readonly PlacedService[]
}

/** A Refusal when the fleet has no such environment. */
export function forEnvironment(fleet: Fleet, name: string): ResolvedEnvironment {
  const environment = fleet.environments.find((candidate) => candidate.name === name)
  if (environment === undefined) throw unknownEnvironment(fleet, name)
  const words = hostWords(fleet.hosts)
  return {
    environment,
    hosts: environment.hosts.flatMap((host) => fleet.hosts.filter((candidate) => candidate.name === host)),
    services: fleet.services.map((service) => ({
      ...inEnvironment(service, environment),
      hosts: placement(service, environment.hosts, words),
    })),
  }
}

/** The address of a store for all services of an environment that do not have one of their own. */
export function storeAddress(environment: Environment, store: Store): Value {
  return Object.hasOwn(environment.variables, store.variable)
    ? environment.variables[store.variable]!
    : { secret: store.variable }
}

function inEnvironment(service: Service, environment: Environment): Service {
  const { port, slotPorts } = service
  const offset = environment.portOffset
  const own = Object.hasOwn(environment.services, service.name) ? environment.services[service.name]!.variables : {}
  return {
    ...service,
    ...(port === undefined ? {} : { port: port + offset }),
    ...(slotPorts === undefined ? {} : { slotPorts: [slotPorts[0] + offset, slotPorts[1] + offset] }),
    variables: { ...service.variables, ...environment.variables, ...own },
  }
}

function unknownEnvironment(fleet: Fleet, name: string) {
  const names = fleet.environments.map((environment) => environment.name)
  const meant = nearMiss(name, names)
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}The environments are ${names.join(', ')}.`
  return refusal(
    'manifest/unknown-environment',
    `fleet ${fleet.name}`,
    `there is no environment ${JSON.stringify(name)}`,
    hint,
  )
}

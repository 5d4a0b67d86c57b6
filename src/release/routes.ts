import type { PlacedService } from '../manifest/fleet.ts'
import type { Route } from '../routers/router.ts'
import type { Context } from './context.ts'
import type { Blueprint, ReleaseSet } from './records.ts'

/** The hosts of an environment, and where they reach each other. */
export interface Addresses {
  readonly hosts: readonly string[]
  /** Empty where no host has to reach another. */
  readonly of: ReadonlyMap<string, string>
}

/** How the services of a set are reached. */
export interface Arrangement {
  readonly set: ReleaseSet
  readonly addresses: Addresses
  /** Hosts that other hosts send nothing to. */
  readonly shunned: ReadonlySet<string>
}

/**
 * Asks nobody where every service that has a port runs on every host, unless hosts come or go: `meanwhile` those that are new
 * send to those that are not.
 */
export async function addressesOf(
  context: Context,
  { hosts, services }: Blueprint,
  meanwhile: 'same-hosts' | 'other-hosts' = 'same-hosts',
): Promise<Addresses> {
  const names = hosts.map(({ name }) => name)
  const isEverywhere = services.every((service) => service.port === undefined || service.hosts.length === names.length)
  if (isEverywhere && meanwhile === 'same-hosts') return { hosts: names, of: new Map() }
  const found = hosts.map(async (host) => [host.name, await context.address(host)] as const)
  return { hosts: names, of: new Map(await Promise.all(found)) }
}

/** Routes of one host, by port: to its own slots, or to the hosts that run the service. */
export function routesOf(arrangement: Arrangement, host: string): Route[] {
  return routesMeanwhile({ ...arrangement, set: {} }, arrangement, host)
}

/**
 * The same while a release is under way. Up to the switch a service that is live is reached where it is live, also from
 * a host that it will leave or come to, and at those that run it before and after where there are any.
 */
export function routesMeanwhile(live: Arrangement, wanted: Arrangement, host: string): Route[] {
  const services = [...new Set([...Object.keys(live.set), ...Object.keys(wanted.set)])]
  return services
    .flatMap((service) => {
      const now = placed(live, service)
      const next = placed(wanted, service)
      return routeTo({ host, live, wanted, now, next }) ?? []
    })
    .sort((a, b) => a.port - b.port)
}

/** A service that is reached at a port, and those of the environment's hosts that run it: at least one. */
interface Placed {
  readonly definition: PlacedService & Required<Pick<PlacedService, 'port' | 'slotPorts'>>
  readonly on: readonly string[]
  readonly everywhere: boolean
}

function placed({ set, addresses: { hosts } }: Arrangement, service: string): Placed | undefined {
  const definition = set[service]?.definition
  if (definition?.port === undefined || definition.slotPorts === undefined) return undefined
  const { port, slotPorts } = definition
  const on = hosts.filter((host) => definition.hosts.includes(host))
  if (on.length === 0) return undefined
  return { definition: { ...definition, port, slotPorts }, on, everywhere: on.length === hosts.length }
}

interface Question {
  readonly host: string
  readonly live: Arrangement
  readonly wanted: Arrangement
  readonly now: Placed | undefined
  readonly next: Placed | undefined
}

function routeTo({ host, live, wanted, now, next }: Question): Route | undefined {
  const decides = now ?? next
  // The ports of the new set are known before the switch, on every host.
  const definition = (next ?? now)?.definition
  if (decides === undefined || definition === undefined) return undefined
  const { name: service, port, slotPorts } = definition
  const addressOf = (name: string): string => wanted.addresses.of.get(name) ?? live.addresses.of.get(name) ?? name
  if (decides.on.includes(host)) {
    const isNewSomewhere = now !== undefined && wanted.addresses.hosts.some((name) => !now.on.includes(name))
    const isExposed = now?.everywhere === false || next?.everywhere === false || isNewSomewhere
    return { service, port, slotPorts, ...(isExposed ? { listen: [addressOf(host)] } : {}) }
  }
  const shunned = now === undefined ? wanted.shunned : live.shunned
  const open = decides.on.filter((name) => !shunned.has(name))
  const onBoth = open.filter((name) => next?.on.includes(name) ?? true)
  const peers = onBoth.length > 0 ? onBoth : open
  if (peers.length === 0) return undefined
  return { service, port, peers: peers.map((name) => ({ host: name, address: addressOf(name), port })) }
}

/** Whether a service that stays in the fleet leaves a host or comes to one, so that the switch alone does not lead to it. */
export function movesBetweenHosts(live: ReleaseSet, set: ReleaseSet): boolean {
  return Object.entries(live).some(([service, { definition }]) => {
    const next = set[service]?.definition.hosts
    return next !== undefined && next.toSorted().join() !== definition.hosts.toSorted().join()
  })
}

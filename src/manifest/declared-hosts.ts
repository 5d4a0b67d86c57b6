import { forEnvironment } from './environment.ts'
import type { Fleet, HostDefinition, Language } from './fleet.ts'

/** A host, and all that a fleet wants of it: what there is to know for those who look after hosts. */
export interface DeclaredHost extends HostDefinition {
  readonly fleet: string
  readonly environments: readonly DeclaredEnvironment[]
}

/** An environment that a host is part of. */
export interface DeclaredEnvironment {
  readonly name: string
  /** Folder on the host; absent means the default. */
  readonly root?: string
  /** The environment's other hosts. */
  readonly peers: readonly string[]
  /** Of every service that answers, with the environment's offset: a host leads to all of them, and runs some. */
  readonly ports: Readonly<Record<string, number>>
  /** Of the services that run on this host, each once. */
  readonly languages: readonly Language[]
}

/** In the order of the file. */
export function declaredHosts(fleet: Fleet): DeclaredHost[] {
  const environments = fleet.environments.map(({ name }) => forEnvironment(fleet, name))
  return fleet.hosts.map((host) => ({
    ...host,
    fleet: fleet.name,
    environments: environments
      .filter(({ environment }) => environment.hosts.includes(host.name))
      .map(({ environment, services }) => ({
        name: environment.name,
        ...(environment.root === undefined ? {} : { root: environment.root }),
        peers: environment.hosts.filter((other) => other !== host.name),
        ports: Object.fromEntries(services.flatMap(({ name, port }) => (port === undefined ? [] : [[name, port]]))),
        languages: [
          ...new Set(services.filter(({ hosts }) => hosts.includes(host.name)).map(({ language }) => language)),
        ].sort(),
      })),
  }))
}

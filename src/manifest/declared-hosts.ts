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
  readonly services: readonly DeclaredService[]
  /** The environment's other hosts. */
  readonly peers: readonly string[]
}

export interface DeclaredService {
  readonly name: string
  readonly language: Language
  /** With the environment's offset. */
  readonly port?: number
  /** It runs on this host; else the host only leads to it. */
  readonly here: boolean
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
        services: services.map(({ name, language, port, hosts }) => ({
          name,
          language,
          ...(port === undefined ? {} : { port }),
          here: hosts.includes(host.name),
        })),
      })),
  }))
}

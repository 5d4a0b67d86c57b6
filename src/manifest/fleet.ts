/**
 * What `drover.yaml` says once every default is filled in. Everything above the manifest reads these types only;
 * `load.ts` builds them and nothing else does. All durations are milliseconds.
 */
export interface Fleet {
  readonly name: string
  /** Sorted by name. */
  readonly services: readonly Service[]
  /** In the order of the file. */
  readonly environments: readonly Environment[]
  /** In the order of the file; `local`, which the file need not name, comes first when an environment uses it. */
  readonly hosts: readonly HostDefinition[]
  readonly stores: readonly Store[]
  /** Paths (folders or files, relative to the repository) whose change concerns every service. */
  readonly shared: readonly string[]
}

/** A machine that the fleet knows. */
export interface HostDefinition {
  readonly name: string
  /** How Drover reaches it; absent for `local`, the machine that Drover runs on. */
  readonly ssh?: {
    /** As in ssh's argument: an alias of the user's ssh configuration, or user@host. */
    readonly destination: string
    readonly port?: number
  }
  /** Where other hosts reach it; absent means where ssh connects to. */
  readonly address?: string
  readonly labels: readonly string[]
}

export const LOCAL_HOST: HostDefinition = { name: 'local', labels: [] }

export type Language = 'node' | 'go' | 'python' | 'command'

export interface Service {
  readonly name: string
  /** Folder of the service, relative to the repository. Default `services/<name>`. */
  readonly path: string
  readonly language: Language
  /** The stable port, nginx's; absent for a worker that serves nothing. */
  readonly port?: number
  /** Ports of slot a and slot b. Absent without a port. */
  readonly slotPorts?: readonly [number, number]
  /** Names of services that must be ready before this one starts. */
  readonly needs: readonly string[]
  readonly ready: Readiness
  /** Shell command lines; absent means the builder's convention for the language. */
  readonly start?: string
  readonly build?: string
  readonly migrate?: Migration
  readonly singleton?: Singleton
  /** How long a stopping slot may take to finish its work. */
  readonly drainMs: number
  readonly variables: Readonly<Record<string, Value>>
  /** More paths, relative to the repository, whose change rebuilds this service. */
  readonly shared: readonly string[]
  /** Paths on the service that must answer 2xx or 3xx after the switch. */
  readonly smoke: readonly string[]
  /** Names or labels of the hosts that it runs on; absent means every host of an environment. */
  readonly on?: readonly string[]
  readonly limits?: Limits
}

/** A service as one environment has it: `forEnvironment` says where it runs. */
export interface PlacedService extends Service {
  /** Names of hosts, in the environment's order, at least one. */
  readonly hosts: readonly string[]
}

/** What a slot may use at most, where the runtime can hold it to that. */
export interface Limits {
  readonly memoryBytes?: number
  /** Of one processor: 150 is one and a half. */
  readonly cpuPercent?: number
}

export interface Readiness {
  /** HTTP path on the slot's own port that answers 2xx when the service can work. */
  readonly path: string
  /** From the start of the process to the first 2xx. */
  readonly timeoutMs: number
  /** A service without a port is ready when it has run this long without exiting. */
  readonly steadyMs: number
}

export interface Migration {
  /** Runs in the service's artifact with the service's variables. */
  readonly command: string
  /** The store that it changes. */
  readonly store: string
  readonly timeoutMs: number
  /** Longest wait for a database lock before the migration gives up. */
  readonly lockTimeoutMs: number
}

/** What must not run twice. */
export interface Singleton {
  /** `POST` to this path stops the intake of new work. */
  readonly pause?: string
  /** `GET` answers `{"active": n}`; the old slot is stopped once n is 0 or the drain time is over. */
  readonly active?: string
}

export interface Environment {
  readonly name: string
  readonly branch: string
  /** Names of hosts, each once; the labels of the file have become the hosts that have them. `local` is this machine. */
  readonly hosts: readonly string[]
  readonly strategy: Strategy
  /** Added to every port of the fleet, so that two environments fit on one machine. */
  readonly portOffset: number
  readonly variables: Readonly<Record<string, Value>>
  /** Per service: variables that win over the service's own. */
  readonly services: Readonly<Record<string, { readonly variables: Readonly<Record<string, Value>> }>>
  readonly verify: Verification
  /** How long the old slots stay warm after a release is kept, so that going back needs no start. */
  readonly warmMs: number
  /** How many kept releases stay on the hosts with their artifacts. */
  readonly keep: number
  /** Folder on the hosts; absent means the driver's default. */
  readonly root?: string
  readonly runtime: string
  readonly router: string
}

/** `together`: all hosts switch at once. `rolling`: so many hosts at a time, each batch verified before the next. */
export type Strategy = 'together' | { readonly rolling: { readonly batch: number } }

export interface Verification {
  /** The watch after the switch. 0 keeps the release as soon as the smoke paths answer. */
  readonly watchMs: number
  /** Largest accepted rise of the share of failed requests, 0..1, against the time before the switch. */
  readonly errorRise: number
  /** A service with fewer requests than this in the watch is judged by its smoke paths alone. */
  readonly minRequests: number
}

/** A database, cache or search engine that the fleet uses and Drover does not run. */
export interface Store {
  readonly name: string
  readonly kind: 'postgres' | 'redis' | 'meilisearch' | 'other'
  /** The variable that carries its address to the services, such as `DATABASE_URL`. */
  readonly variable: string
  /** An optional store may be away; the services must say how they do without it. */
  readonly optional: boolean
}

/** A literal, or the name of a secret that is looked up when the release is configured. */
export type Value = string | { readonly secret: string }

/** Slot of a service on a host. */
export type SlotName = 'a' | 'b'

export function otherSlot(slot: SlotName): SlotName {
  return slot === 'a' ? 'b' : 'a'
}

import { LOCAL_HOST } from './fleet.ts'
import type {
  Environment,
  Fleet,
  HostDefinition,
  Language,
  Limits,
  Migration,
  Readiness,
  Service,
  Singleton,
  Store,
  Value,
} from './fleet.ts'
import { hostsNamed, hostWords } from './placement.ts'
import { builtIn } from './schema.ts'
import type { HostWords } from './placement.ts'
import type { Manifest, ManifestEnvironment } from './schema.ts'

/** What the conventions make of a manifest. All of it assumes that `check-*.ts` found nothing wrong. */

export type Languages = ReadonlyMap<string, Language>

export function resolveFleet(manifest: Manifest, languages: Languages): Fleet {
  const stores = storesOf(manifest)
  const declared = hostsOf(manifest)
  const words = hostWords(declared)
  const environments = Object.entries(manifest.environments).map(([name, environment]) =>
    resolveEnvironment(name, environment, words),
  )
  const usesLocal = environments.some(({ hosts }) => hosts.includes(LOCAL_HOST.name))
  return {
    name: manifest.fleet,
    services: Object.keys(manifest.services)
      .sort()
      .map((name) => resolveService(manifest, name, { language: languages.get(name) ?? 'command', stores })),
    environments,
    hosts: usesLocal && !declared.some(({ name }) => name === LOCAL_HOST.name) ? [LOCAL_HOST, ...declared] : declared,
    stores,
    shared: [...new Set(manifest.shared)],
  }
}

export function hostsOf(manifest: Pick<Manifest, 'hosts'>): HostDefinition[] {
  return Object.entries(manifest.hosts ?? {}).map(([name, { ssh, port, address, labels }]) => ({
    name,
    ...(ssh === undefined ? {} : { ssh: { destination: ssh, ...(port === undefined ? {} : { port }) } }),
    ...(address === undefined ? {} : { address }),
    labels: [...new Set(labels ?? [])],
  }))
}

const VARIABLES = { postgres: 'DATABASE_URL', redis: 'REDIS_URL', meilisearch: 'MEILI_URL', other: undefined } as const

/** undefined: the kind has no variable of its own, so the manifest must say it. */
export function storeVariable(store: { readonly kind: Store['kind']; readonly variable?: string }): string | undefined {
  return store.variable ?? VARIABLES[store.kind]
}

function storesOf(manifest: Manifest): Store[] {
  return Object.entries(manifest.stores ?? {}).map(([name, store]) => ({
    name,
    kind: store.kind,
    variable: storeVariable(store) ?? '',
    optional: store.optional ?? builtIn.store.optional,
  }))
}

/**
 * A service's own needs, else those of `defaults` that stand before the service itself in the list: with
 * `needs: [config, gateway]` config needs nothing, gateway config, and everybody else both.
 */
export function needsOf(manifest: Manifest, name: string): readonly string[] {
  const own = manifest.services[name]?.needs
  if (own !== undefined) return own
  const general = manifest.defaults?.needs ?? builtIn.service.needs
  const self = general.indexOf(name)
  return self === -1 ? general : general.slice(0, self)
}

export function pathOf(manifest: Manifest, name: string): string {
  return manifest.services[name]?.path ?? `services/${name}`
}

export function slotPortsOf(service: Manifest['services'][string]): readonly [number, number] | undefined {
  if (service.port === undefined) return undefined
  return service.slots ?? [service.port + 10_000, service.port + 20_000]
}

function resolveService(
  manifest: Manifest,
  name: string,
  found: { language: Language; stores: readonly Store[] },
): Service {
  const own = manifest.services[name] ?? {}
  const general = manifest.defaults ?? {}
  const slotPorts = slotPortsOf(own)
  const ready = readiness({ ...builtIn.ready, ...general.ready, ...own.ready })
  const singleton = 'singleton' in own ? own.singleton : general.singleton
  const start = own.start ?? general.start
  const build = own.build ?? general.build
  const on = own.on ?? general.on
  const limits = limitsOf({ ...general.limits, ...own.limits })
  return {
    name,
    path: pathOf(manifest, name),
    language: found.language,
    ...(own.port === undefined ? {} : { port: own.port }),
    ...(slotPorts === undefined ? {} : { slotPorts }),
    needs: needsOf(manifest, name),
    ready,
    ...(start === undefined ? {} : { start }),
    ...(build === undefined ? {} : { build }),
    ...(own.migrate === undefined ? {} : { migrate: migration(own.migrate, found.stores) }),
    ...(singleton === undefined ? {} : { singleton: singleton satisfies Singleton }),
    drainMs: own.drain ?? general.drain ?? builtIn.service.drain,
    variables: { ...storeVariables(found.stores), ...general.variables, ...own.variables },
    shared: [...new Set(own.shared ?? general.shared ?? builtIn.service.shared)],
    smoke: own.port === undefined ? [] : [...new Set(own.smoke ?? general.smoke ?? [ready.path])],
    ...(on === undefined ? {} : { on: [...new Set(on)] }),
    ...(limits === undefined ? {} : { limits }),
  }
}

function limitsOf({ memory, cpu }: NonNullable<Manifest['services'][string]['limits']>): Limits | undefined {
  if (memory === undefined && cpu === undefined) return undefined
  return {
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(cpu === undefined ? {} : { cpuPercent: cpu }),
  }
}

/** Lowest in rank: a service or an environment may well have a database of its own. */
function storeVariables(stores: readonly Store[]): Record<string, Value> {
  return Object.fromEntries(stores.map(({ variable }) => [variable, { secret: variable }]))
}

function readiness(ready: Required<NonNullable<typeof builtIn.ready>>): Readiness {
  return { path: ready.path, timeoutMs: ready.timeout, steadyMs: ready.steady }
}

function migration(given: NonNullable<Manifest['services'][string]['migrate']>, stores: readonly Store[]): Migration {
  const { command, store, timeout, lock_timeout } = { ...builtIn.migrate, store: undefined, ...given }
  return {
    command,
    store: store ?? stores.find(({ kind }) => kind === 'postgres')?.name ?? '',
    timeoutMs: timeout,
    lockTimeoutMs: lock_timeout,
  }
}

function resolveEnvironment(name: string, given: ManifestEnvironment, words: HostWords): Environment {
  const { branch, ports, strategy, warm, keep, router, root } = { ...builtIn.environment, root: undefined, ...given }
  const hosts = hostsNamed(given.hosts ?? builtIn.environment.hosts, words)
  const onlyLocal = hosts.every((host) => host === LOCAL_HOST.name)
  const { watch, errors, requests } = { ...builtIn.verify, ...given.verify }
  return {
    name,
    branch,
    hosts,
    strategy,
    portOffset: ports,
    variables: { ...given.variables },
    services: Object.fromEntries(
      Object.entries(given.services ?? {}).map(([service, { variables }]) => [
        service,
        { variables: { ...variables } },
      ]),
    ),
    verify: { watchMs: watch, errorRise: errors, minRequests: requests },
    warmMs: warm,
    keep,
    ...(root === undefined ? {} : { root }),
    runtime: given.runtime ?? (onlyLocal ? 'pm2' : 'systemd'),
    router,
  }
}

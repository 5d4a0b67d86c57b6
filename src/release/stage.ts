import { act } from '../hosts/act.ts'
import type { Parcel } from '../hosts/host.ts'
import type { Operation } from '../hosts/operation.ts'
import { refusal } from '../problem/problem.ts'
import type { Route } from '../routers/router.ts'
import { renderEnvironmentFile } from '../runtimes/environment-file.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet, SetMember } from './records.ts'
import { blueprintOf, emit, enter, fenceAt, setToken, siteOf, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, newRoutes, runsOn, setNames } from './slots.ts'
import { configureAll } from './wanted.ts'

/**
 * Lays everything that the release needs on one host beside what is live: artifacts, environment files, the routes of
 * services that are new, and the new set, reachable by its token only. Nothing live is touched.
 */
export async function stage(scope: Scope, host: string): Promise<void> {
  const release = await enter(scope, 'stage')
  const blueprint = blueprintOf(release)
  const site = siteOf(sites(scope.context, scope.ref.fleet, blueprint), host)
  const { plan, set, before } = planned(release)
  const moves = movesOn(plan, host)
  const moving = Object.fromEntries(
    Object.entries(set).filter(([service]) => moves.beside.has(service) || moves.swapped.has(service)),
  )

  const live = await scope.context.records.live(scope.ref)
  const fence = await fenceAt(scope, site)
  const name = setNames.shielded(release.number)
  const routes = newRoutes({ name, release: release.number, host, set, plan, before }, true)
  const token = await setToken(scope.context, scope.ref)
  // None of these waits for another, and none touches what is live.
  await Promise.all([
    site.runtime.prepare(site.host, fence),
    uploadAll(scope, site, moving),
    layEnvironments(scope, site, release, moving),
    layRoutes(),
  ])
  for (const service of Object.keys(moving)) await emit(scope, { kind: 'service', service, host, state: 'staged' })

  /** A router that runs takes a set whatever its shape; the first one of all is shaped before. */
  async function layRoutes(): Promise<void> {
    const shaped = site.router.shape(site.host, fence, routesMeanwhile(live?.set ?? {}, set, host))
    if (before[host]?.live === undefined) await shaped
    await Promise.all([shaped, site.router.lay(site.host, fence, routes, token)])
  }
}

export function planned(release: StoredRelease): Required<Pick<StoredRelease, 'plan' | 'set' | 'before'>> {
  const { plan, set, before } = release
  if (plan === undefined || set === undefined || before === undefined)
    throw new Error(`release ${release.number} has no plan yet`)
  return { plan, set, before }
}

async function uploadAll(scope: Scope, site: Site, moving: ReleaseSet): Promise<void> {
  // An upload is no act: it lays what has its content for a name, which no later release can mind. Whether this release
  // still has the right to is asked all the same.
  await fenceAt(scope, site)
  // What another Drover has built is not in this one's store; where it was live before, the host has it all the same.
  const parcels = Object.values(moving).map(({ artifact }): Parcel => ({
    folder: () => scope.context.store.folderOf(artifact),
    target: site.layout.artifact(artifact.service, artifact.id),
    id: artifact.id,
  }))
  await site.host.uploadAll(parcels, { signal: scope.signal, shelf: site.layout.artifacts })
}

/** A deploy writes the files; a rollback finds the older ones on the host, since only there are the older values. */
async function layEnvironments(scope: Scope, site: Site, release: StoredRelease, moving: ReleaseSet): Promise<void> {
  if (release.goal === 'rollback') return requireEnvironments(scope, site, moving)
  const configurations = await configureAll(scope.context, scope.ref, blueprintOf(release))
  const operations: Operation[] = [{ kind: 'folder', path: `${site.root}/env`, mode: 0o700 }]
  for (const [service, member] of Object.entries(moving)) {
    const configuration = configurations.get(service)
    if (configuration?.id !== member.config) {
      throw refusal(
        'release/config-moved',
        `service ${service}`,
        'a secret has changed since the plan was made',
        'Release again; the new plan takes the new value.',
      )
    }
    const path = site.layout.environment(service, member.config)
    operations.push({ kind: 'folder', path: `${site.root}/env/${service}`, mode: 0o700 })
    operations.push({ kind: 'write', path, content: renderEnvironmentFile(configuration.variables), mode: 0o600 })
  }
  await act(site.host, await fenceAt(scope, site), operations, { signal: scope.signal })
}

async function requireEnvironments(scope: Scope, site: Site, moving: ReleaseSet): Promise<void> {
  const files = Object.entries(moving).map(([service, member]) => site.layout.environment(service, member.config))
  const operations = files.map((file): Operation => ({ kind: 'run', program: 'test', argv: ['-f', file] }))
  await act(site.host, await fenceAt(scope, site), operations, { signal: scope.signal })
}

/** While a release is under way: what leaves the fleet or the host is live there until the switch, and keeps its port. */
export function routesMeanwhile(live: ReleaseSet, set: ReleaseSet, host: string): Route[] {
  const leaving = Object.entries(live).filter(([name, member]) => runsOn(member, host) && !runsOn(set[name], host))
  return routesOf({ ...live, ...set, ...Object.fromEntries(leaving) }, host)
}

/** Routes of a set on one host. */
export function routesOf(set: ReleaseSet, host: string): Route[] {
  return Object.values(set)
    .flatMap((member) => routeOf(member, host) ?? [])
    .sort((a, b) => a.port - b.port)
}

function routeOf(member: SetMember, host: string): Route | undefined {
  const { name, port, slotPorts } = member.definition
  if (port === undefined || slotPorts === undefined) return undefined
  if (runsOn(member, host)) return { service: name, port, slotPorts }
  // It runs on other hosts only: until routes lead there, the port is free here.
  return undefined
}

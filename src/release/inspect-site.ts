import { isNamedBy } from '../build/store.ts'
import type { Finding } from '../hosts/finding.ts'
import type { Comparison } from '../hosts/host.ts'
import { Refusal } from '../problem/problem.ts'
import type { RouterReport, RouteSet } from '../routers/router.ts'
import { renderEnvironmentFile } from '../runtimes/environment-file.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import type { Context } from './context.ts'
import { driftOf } from './drift.ts'
import { digestOf } from './environment-files.ts'
import type { Inspect } from './fleet-state.ts'
import type { Actual, ArtifactState, Declared, DeclaredService } from './drift.ts'
import type { StoredRelease } from './record-store.ts'
import type { SetMember } from './records.ts'
import { blueprintOf } from './scope.ts'
import type { Site } from './scope.ts'
import { newRoutes, runsOn, setNames } from './slots.ts'
import { configureAll } from './wanted.ts'

/** How long after the warm time the slots of before may still be about to be stopped. */
const SWEEP_MS = 60_000

/** What the live release has declared, for all of its hosts. */
export interface Declaration {
  readonly live: StoredRelease
  /** Digests of environment files, by service, where the values are still those of the release. */
  readonly environments: ReadonlyMap<string, string>
}

/** What a host says of itself, and what of it is not as it was declared. */
export interface InspectedSite {
  readonly router: RouterReport
  readonly slots: readonly SlotReport[]
  readonly findings: readonly Finding[]
}

export async function declarationOf(context: Context, live: StoredRelease): Promise<Declaration> {
  const configurations = await configureAll(context, live, blueprintOf(live)).catch((error: unknown) => {
    // A secret that is missing today.
    if (error instanceof Refusal) return undefined
    throw error
  })
  const environments = new Map<string, string>()
  for (const [service, { id, variables }] of configurations ?? []) {
    if (live.set?.[service]?.config !== id) continue
    environments.set(service, digestOf(renderEnvironmentFile(variables)) ?? '')
  }
  return { live, environments }
}

/** For plans: of hosts on which the live release has declared something. */
export async function inspectorOf(context: Context, live: StoredRelease | undefined): Promise<Inspect> {
  if (live?.set === undefined) return () => undefined
  const declaration = await declarationOf(context, live)
  const known = new Set(blueprintOf(live).hosts.map(({ name }) => name))
  return (site) => (known.has(site.host.name) ? inspectSite(context, site, { declaration }) : undefined)
}

/** Asks a host everything at once. `deep` reads all files of what is live there. */
export async function inspectSite(
  context: Context,
  site: Site,
  { declaration, deep = false }: { readonly declaration: Declaration; readonly deep?: boolean },
): Promise<InspectedSite> {
  const { live } = declaration
  const members = Object.entries(live.set ?? {}).filter(([, member]) => runsOn(member, site.host.name))
  const [router, runtime, artifacts] = await Promise.all([
    site.router.observe(site.host, site.root),
    inspectRuntime(site),
    compareArtifacts(context, site, { members, deep }),
  ])
  const made = await releaseOf(context, live, router.live)
  const laid = made === undefined ? undefined : laidOn(site.host.name, made)
  const actual = { router, ...runtime, artifacts, ...(laid === undefined ? {} : { laid }) }
  return {
    router,
    slots: runtime.slots,
    findings: driftOf(declaredOn(site, { declaration, members, made }), actual),
  }
}

async function inspectRuntime({ runtime, host, root }: Site): Promise<Pick<Actual, 'slots' | 'inspected'>> {
  const inspected = await runtime.inspect?.(host, root)
  return inspected === undefined ? { slots: await runtime.observe(host, root) } : { slots: inspected.slots, inspected }
}

interface Comparing {
  readonly members: readonly (readonly [service: string, member: SetMember])[]
  readonly deep: boolean
}

/** On a host that keeps no record of what was laid all has to be read, which is done only when it is asked for. */
async function compareArtifacts(
  { store }: Context,
  { host, layout }: Site,
  { members, deep }: Comparing,
): Promise<Map<string, ArtifactState>> {
  const folders = members.map(([, { artifact }]) => layout.artifact(artifact.service, artifact.id))
  if (host.compare !== undefined) {
    const found = await host.compare(folders, { deep })
    return new Map(members.map(([service, member], index) => [service, stateOf(member, found[index])]))
  }
  if (!deep) return new Map()
  const read = members.map(async ([service, { artifact }], index): Promise<[string, ArtifactState]> => {
    const whole = await store.verify({ ...artifact, folder: folders[index] ?? '' }).catch(() => undefined)
    return [service, { there: whole !== undefined, isItsOwn: true, count: whole === false ? 1 : 0, paths: [] }]
  })
  return new Map(await Promise.all(read))
}

function stateOf({ artifact }: SetMember, comparison: Comparison | undefined): ArtifactState {
  const { there = false, digest, count = 0, paths = [] } = comparison ?? {}
  return { there, count, paths, isItsOwn: digest !== undefined && isNamedBy(artifact, digest) }
}

/** The release whose set a host has live: the live one, or one that has healed the host; undefined for any other. */
async function releaseOf(
  { records }: Context,
  live: StoredRelease,
  set: RouteSet | undefined,
): Promise<StoredRelease | undefined> {
  if (set === undefined || set.release === live.number) return set === undefined ? undefined : live
  const { fleet, environment } = live
  const made = await records.find({ fleet, environment, number: set.release }).catch((error: unknown) => {
    if (error instanceof Refusal) return undefined
    throw error
  })
  return made?.outcome === 'kept' ? made : undefined
}

function laidOn(host: string, made: StoredRelease): RouteSet | undefined {
  const { plan, set, before, number } = made
  if (plan === undefined || set === undefined || before === undefined) return undefined
  return newRoutes({ name: setNames.plain(number), release: number, host, set, plan, before }, false)
}

interface Declaring {
  readonly declaration: Declaration
  readonly members: readonly (readonly [service: string, member: SetMember])[]
  readonly made: StoredRelease | undefined
}

function declaredOn({ layout }: Site, { declaration, members, made }: Declaring): Declared {
  const { live, environments } = declaration
  const services = members.map(([service, { artifact, config }]): [string, DeclaredService] => {
    const environment = environments.get(service)
    return [service, { artifact: artifact.id, config, ...(environment === undefined ? {} : { environment }) }]
  })
  const ended = Math.max(live.endedAt ?? Date.now(), made?.endedAt ?? 0)
  const isWarm = Date.now() < ended + blueprintOf(live).environment.warmMs + SWEEP_MS
  return { layout, services: new Map(services), isWarm }
}

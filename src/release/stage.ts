import type { Parcel } from '../hosts/host.ts'
import { arrangementsOf } from './arrangements.ts'
import { haveInStore } from './build.ts'
import { layEnvironments } from './environment-files.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet } from './records.ts'
import { routesMeanwhile } from './routes.ts'
import { emit, enter, fenceAt, setToken, siteOf, sitesOf } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, newRoutes, setNames } from './slots.ts'

/**
 * Lays everything that the release needs on one host beside what is live: artifacts, environment files, the routes of
 * services that are new, and the new set, reachable by its token only. Nothing live is touched.
 */
export async function stage(scope: Scope, host: string): Promise<void> {
  const release = await enter(scope, 'stage')
  const site = siteOf(sitesOf(scope.context, release), host)
  const { plan, set, before } = planned(release)
  const moves = movesOn(plan, host)
  const moving = Object.fromEntries(
    Object.entries(set).filter(([service]) => moves.beside.has(service) || moves.swapped.has(service)),
  )

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
  await Promise.all(
    Object.keys(moving).map((service) => emit(scope, { kind: 'service', service, host, state: 'staged' })),
  )

  /** A router that runs takes a set whatever its shape; the first one of all is shaped before. */
  async function layRoutes(): Promise<void> {
    const { live, wanted } = await arrangementsOf(scope, release)
    const shaped = site.router.shape(site.host, fence, routesMeanwhile(live, wanted, host))
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

/**
 * What lies there already is looked at before it is started again, and laid anew where somebody has written to it. By times
 * and sizes alone: to read all that a host has of a large fleet takes longer than the rest of a release, and who alters a
 * file and sets its time back has rights on the host with which nothing there could be trusted. `drover hosts drift --deep`
 * reads all.
 */
async function uploadAll(scope: Scope, site: Site, moving: ReleaseSet): Promise<void> {
  // What another Drover has built is not in this one's store; where it was live before, the host has it all the same.
  const { store } = scope.context
  const parcels = Object.values(moving).map((member): Parcel => ({
    folder: () => haveInStore(scope, member).then(() => store.folderOf(member.artifact)),
    target: site.layout.artifact(member.artifact.service, member.artifact.id),
    inventory: () => haveInStore(scope, member).then(() => store.inventoryOf(member.artifact)),
  }))
  const fence = await fenceAt(scope, site)
  const options = { signal: scope.signal, shelf: site.layout.artifacts, fence, mends: true }
  const uploaded = await site.host.uploadAll(parcels, options)
  for (const [index, service] of Object.keys(moving).entries()) {
    if (uploaded[index]?.mended !== true) continue
    await emit(scope, {
      kind: 'note',
      text: `${service} on ${site.host.name}: its artifact was altered, and was laid anew`,
    })
  }
}

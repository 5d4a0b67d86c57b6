import { act } from '../hosts/act.ts'
import type { StoredRelease } from './record-store.ts'
import { blueprintOf, enter, fenceAt, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { newRoutes, runsOn, setNames } from './slots.ts'
import { planned, routesOf } from './stage.ts'
import { total, trafficOf } from './verify.ts'

/**
 * Keeps the release: the new slots answer alone from here on, the host notes what was released, and the record says
 * how many requests were served meanwhile. The old slots stay warm until the sweep.
 */
export async function keep(scope: Scope): Promise<void> {
  const release = await enter(scope, 'keep')
  const all = sites(scope.context, scope.ref.fleet, blueprintOf(release))
  const { plan, set, before } = planned(release)
  for (const site of all) {
    const name = setNames.plain(release.number)
    const routes = newRoutes({ name, release: release.number, host: site.host.name, set, plan, before }, false)
    await letGo(scope, site, release)
    await site.router.lay(site.host, await fenceAt(scope, site), routes)
    await site.router.switch(site.host, await fenceAt(scope, site), name)
    await site.router.prune(site.host, await fenceAt(scope, site), [name])
    await act(site.host, await fenceAt(scope, site), [
      { kind: 'folder', path: site.layout.releases },
      { kind: 'write', path: `${site.layout.releases}/${release.number}.json`, content: hostRecord(release) },
    ])
  }
  await scope.context.reach('keep:alone')
  const traffic = total(await trafficOf(all, release.startedAt ?? release.requestedAt, Date.now()))
  await scope.context.records.end(scope.ref, { outcome: 'kept', problems: [], traffic })
}

/** A service that left this host was answered by its old slot here; from now on its port leads to where it runs. */
async function letGo(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const { set, before } = planned(release)
  const host = site.host.name
  const leaves = Object.keys(before[host]?.live?.choices ?? {}).some(
    (service) => set[service] !== undefined && !runsOn(set[service], host),
  )
  if (leaves) await site.router.shape(site.host, await fenceAt(scope, site), routesOf(set, host))
}

/** What the host itself knows of a release, for a person who has nothing but the host. No values, only names. */
function hostRecord(release: StoredRelease): string {
  const services = Object.entries(planned(release).set).map(([service, member]) => [
    service,
    {
      artifact: member.artifact.id,
      config: member.config,
      start: member.artifact.start,
      cwd: member.artifact.cwd,
      release: member.release,
    },
  ])
  const { fleet, environment, number, commit } = release
  return `${JSON.stringify({ fleet, environment, number, commit, services: Object.fromEntries(services) }, null, 2)}\n`
}

import { isDeepStrictEqual } from 'node:util'
import { arrangementsOf } from './arrangements.ts'
import type { Arrangements } from './arrangements.ts'
import { everywhere } from './everywhere.ts'
import { hostRecord } from './host-record.ts'
import type { StoredRelease } from './record-store.ts'
import { routesMeanwhile, routesOf } from './routes.ts'
import { blueprintOf, concerns, enter, fenceAt, sitesOf } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { newRoutes, setNames } from './slots.ts'
import { planned } from './stage.ts'
import { total, trafficOf } from './verify.ts'
import { welcome } from './welcome.ts'

/**
 * Keeps the release: the new slots answer alone from here on, the hosts note what was released, and the record says
 * how many requests were served meanwhile. The old slots stay warm until the sweep.
 */
export async function keep(scope: Scope): Promise<void> {
  const release = await enter(scope, 'keep')
  const all = sitesOf(scope.context, release)
  const arrangements = await arrangementsOf(scope, release)
  // Counted meanwhile: what is answered in these milliseconds is no news.
  const counted = trafficOf(all, release.startedAt ?? release.requestedAt, Date.now())
  counted.catch(() => undefined)
  await everywhere(all, (site) => settle(scope, site, { release, arrangements }))
  await scope.context.reach('keep:alone')
  if (release.order.goal === 'heal') await welcomeHealed(scope, release.order.host)
  else await clearMarks(scope, release)
  await scope.context.records.end(scope.ref, { outcome: 'kept', problems: [], traffic: total(await counted) })
}

interface Kept {
  readonly release: StoredRelease
  readonly arrangements: Arrangements
}

async function settle(scope: Scope, site: Site, { release, arrangements }: Kept): Promise<void> {
  const host = site.host.name
  const { number } = release
  const fence = await fenceAt(scope, site)
  const { live, wanted } = arrangements
  const routes = routesOf(wanted, host)
  const set = newRoutes({ name: setNames.plain(number), release: number, host, ...planned(release) }, false)
  const record = hostRecord(release, { host, choices: set.choices, routes })
  await site.router.settle(site.host, fence, set, [
    { kind: 'folder', path: site.layout.releases },
    { kind: 'write', path: `${site.layout.releases}/${number}.json`, content: record },
  ])
  // Where nobody reaches another host, the sweep takes away what left the fleet; else hosts may be sent to again.
  const isAlone = wanted.addresses.of.size === 0
  if (!isAlone && !isDeepStrictEqual(routes, routesMeanwhile(live, wanted, host))) {
    await site.router.shape(site.host, fence, routes)
  }
}

/** Also of hosts that are not of the environment any more. */
async function clearMarks({ context, ref }: Scope, release: StoredRelease): Promise<void> {
  const known = new Set(blueprintOf(release).hosts.map(({ name }) => name))
  const marks = await context.marks.of(ref)
  const hosts = marks.map(({ host }) => host).filter((host) => !known.has(host) || concerns(release.order, host))
  await context.marks.clear(ref, hosts)
}

/** The hosts that the release did not concern send to it again. */
async function welcomeHealed(scope: Scope, host: string): Promise<void> {
  const live = await scope.context.records.live(scope.ref)
  if (live !== undefined) await welcome(scope, live, [host])
}

import { arrangementOf } from './arrangements.ts'
import { everywhere } from './everywhere.ts'
import { routesOf } from './routes.ts'
import { blueprintOf, fenceAt, sites, takePermit } from './scope.ts'
import type { Scope } from './scope.ts'

/**
 * What grows on the hosts of a fleet that is not released for months: the router's log, and sets that nobody needs. A
 * host that could not be told when another one came back is told now.
 */
export async function tidy(scope: Scope): Promise<void> {
  const { context, ref } = scope
  const live = await context.records.live(ref)
  if (live === undefined) return
  await takePermit(scope)
  const arrangement = await arrangementOf(scope, live)
  const all = sites(context, ref.fleet, blueprintOf(live)).filter(({ host }) => !arrangement.shunned.has(host.name))
  await everywhere(all, async (site) => {
    const { live: set } = await site.router.observe(site.host, site.root)
    if (set === undefined) return
    const fence = await fenceAt(scope, site)
    await site.router.prune(site.host, fence, [set.name])
    if (arrangement.addresses.of.size > 0) {
      await site.router.shape(site.host, fence, routesOf(arrangement, site.host.name))
    }
  })
}

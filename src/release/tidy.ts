import { blueprintOf, fenceAt, sites } from './scope.ts'
import type { Scope } from './scope.ts'

/** What grows on the hosts of a fleet that is not released for months: the router's log, and sets that nobody needs. */
export async function tidy(scope: Scope): Promise<void> {
  const live = await scope.context.records.live(scope.ref)
  if (live === undefined) return
  await scope.context.permits.take(scope.ref, scope.holder)
  for (const site of sites(scope.context, scope.ref.fleet, blueprintOf(live))) {
    const { live: set } = await site.router.observe(site.host, site.root)
    if (set !== undefined) await site.router.prune(site.host, await fenceAt(scope, site), [set.name])
  }
}

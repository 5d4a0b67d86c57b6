import { arrangementOf } from './arrangements.ts'
import type { StoredRelease } from './record-store.ts'
import { routesOf } from './routes.ts'
import type { Arrangement } from './routes.ts'
import { blueprintOf, fenceAt, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'

/**
 * These hosts run what is live, so the others send to them again. A host that cannot be told so now is told by the next
 * sweep; it does without their help until then.
 */
export async function welcome(scope: Scope, live: StoredRelease, hosts: readonly string[]): Promise<void> {
  await scope.context.marks.clear(scope.ref, hosts)
  await leadTo(scope, sites(scope.context, scope.ref.fleet, blueprintOf(live)), await arrangementOf(scope, live))
}

/** Makes hosts reach every service where an arrangement has it, as far as they can be told. */
export async function leadTo(scope: Scope, all: readonly Site[], arrangement: Arrangement): Promise<void> {
  await Promise.all(
    all.map(async (site) => {
      const fence = await fenceAt(scope, site)
      await site.router
        .shape(site.host, fence, routesOf(arrangement, site.host.name))
        .catch((error: unknown) => scope.context.log(`routes of ${site.host.name}: ${String(error)}`))
    }),
  )
}

import { diskSpace } from '../hosts/disk.ts'
import type { DiskSpace } from '../hosts/disk.ts'
import type { Context } from './context.ts'
import { inspectorOf } from './inspect-site.ts'
import type { InspectedSite } from './inspect-site.ts'
import type { Order, ReleaseRef } from './records.ts'
import type { StoredRelease } from './record-store.ts'
import { blueprintOf, concerns, sites, workflowId } from './scope.ts'
import type { Scope, Site } from './scope.ts'

/** After a build that took longer the hosts are looked at anew. A release of all services should not have to. */
const FRESH_MS = 10_000

/** What a plan wants to know of one host. */
export interface Look {
  readonly inspected: Promise<InspectedSite> | undefined
  /** undefined where it cannot be measured now. */
  readonly disk: Promise<DiskSpace | undefined>
}

/** Of one release, by place. */
interface Looks {
  readonly live: number
  readonly began: number
  readonly of: ReadonlyMap<string, Look>
}

const underWay = new WeakMap<Context, Map<string, Promise<Looks | undefined>>>()

/**
 * Begins to look at the hosts of the live release, unless that has begun for this very release a moment ago: when it is asked
 * for and none is before it, or else while the source step works. No other release changes them before the plan; a sweep may
 * stop slots that nothing needs, and a slot that was found running and is not is started. A look that fails is not told here: the plan is given it, as if it had looked by itself, and the step that
 * plans is repeated where its connection was cut off.
 */
export function beginLooks(context: Context, ref: ReleaseRef, order: Order): void {
  const all = underWay.get(context) ?? new Map<string, Promise<Looks | undefined>>()
  underWay.set(context, all)
  const id = workflowId(ref)
  if (all.has(id)) return
  const begun = begin(context, ref, order).catch(() => undefined)
  all.set(id, begun)
  setTimeout(() => {
    if (all.get(id) === begun) all.delete(id)
  }, FRESH_MS).unref()
}

async function begin(context: Context, ref: ReleaseRef, order: Order): Promise<Looks | undefined> {
  const began = performance.now()
  const live = await context.records.live(ref)
  if (live === undefined) return undefined
  const look = await lookerOf(context, live)
  const concerned = sites(context, ref.fleet, blueprintOf(live)).filter(({ host }) => concerns(order, host.name))
  const of = new Map(concerned.map((site) => [placeOf(site), look(site)]))
  for (const { inspected } of of.values()) inspected?.catch(() => undefined)
  return { live: live.number, began, of }
}

/** Looks at places, or finds that this has begun for this very release a moment ago. Each look is given once. */
export async function looksAt(
  { context, ref }: Scope,
  live: StoredRelease | undefined,
  places: readonly Site[],
): Promise<ReadonlyMap<Site, Look>> {
  const begun = await takeBegun(context, ref, live)
  const isComplete = places.every((site) => begun.has(placeOf(site)))
  const look = isComplete ? undefined : await lookerOf(context, live)
  return new Map(places.map((site) => [site, begun.get(placeOf(site)) ?? look!(site)]))
}

async function takeBegun(context: Context, ref: ReleaseRef, live: StoredRelease | undefined): Promise<Looks['of']> {
  const all = underWay.get(context)
  const taken = all?.get(workflowId(ref))
  all?.delete(workflowId(ref))
  const begun = await taken
  const isFresh = begun !== undefined && begun.live === live?.number && performance.now() - begun.began < FRESH_MS
  return isFresh ? begun.of : new Map()
}

async function lookerOf(context: Context, live: StoredRelease | undefined): Promise<(site: Site) => Look> {
  const inspect = await inspectorOf(context, live)
  return (site) => ({ inspected: inspect(site), disk: diskSpace(site.host, site.root).catch(() => undefined) })
}

function placeOf({ definition, root, runtime, router }: Site): string {
  return JSON.stringify([definition, root, runtime.name, router.name])
}

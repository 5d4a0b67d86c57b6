import { act } from '../hosts/act.ts'
import type { Operation } from '../hosts/operation.ts'
import type { SlotRef } from '../runtimes/runtime.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet } from './records.ts'
import { blueprintOf, fenceAt, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { routesOf } from './stage.ts'

/**
 * What is left to do once a kept release has been live for the warm time: slots that are not live are stopped, routes
 * of services that left are forgotten, and of older releases only the newest kept ones stay on the hosts. It looks at
 * what is live now, so a sweep that comes late, twice or after another release does no harm.
 */
export async function sweep(scope: Scope): Promise<void> {
  await scope.context.permits.take(scope.ref, scope.holder)
  const live = await scope.context.records.live(scope.ref)
  if (live === undefined) return
  const blueprint = blueprintOf(live)
  const kept = await keptSets(scope.context, live)
  for (const site of sites(scope.context, scope.ref.fleet, blueprint)) {
    await stopWhatIsNotLive(scope, site, live)
    await site.router.shape(site.host, await fenceAt(scope, site), routesOf(live.set ?? {}, site.host.name))
    await forgetOldVersions(scope, site, kept)
  }
}

async function stopWhatIsNotLive(scope: Scope, site: Site, live: StoredRelease): Promise<void> {
  const [router, slots] = await Promise.all([
    site.router.observe(site.host, site.root),
    site.runtime.observe(site.host, site.root),
  ])
  if (router.live === undefined) return
  const choices = router.live.choices
  const idle = slots.filter(
    ({ service, slot, state }) => (state === 'running' || state === 'crashed') && choices[service]?.slot !== slot,
  )
  const stops = idle.map(({ service, slot }): SlotRef & { drainMs: number } => ({
    service,
    slot,
    drainMs: live.set?.[service]?.definition.drainMs ?? 10_000,
  }))
  if (stops.length === 0) return
  await site.runtime.stop(site.host, await fenceAt(scope, site), stops)
  for (const { service } of stops) {
    await scope.context.records.emit(live, { kind: 'service', service, host: site.host.name, state: 'stopped' })
  }
}

/** The live set and those of the newest kept releases: nothing that a rollback may want is ever removed. */
export async function keptSets({ records }: Context, live: StoredRelease): Promise<ReleaseSet[]> {
  const sets: ReleaseSet[] = live.set === undefined ? [] : [live.set]
  let before = live.number
  while (sets.length < Math.max(2, blueprintOf(live).environment.keep)) {
    const previous = await records.previous(live, before)
    if (previous === undefined) break
    if (previous.set !== undefined) sets.push(previous.set)
    before = previous.number
  }
  return sets
}

async function forgetOldVersions(scope: Scope, site: Site, kept: readonly ReleaseSet[]): Promise<void> {
  const members = kept.flatMap((set) => Object.values(set))
  const artifacts = new Set(members.map(({ artifact }) => `${artifact.service}/${artifact.id}`))
  const configs = new Set(members.map(({ artifact, config }) => `${artifact.service}/${config}.env`))
  const listing = await site.host.run({
    program: 'find',
    argv: [`${site.root}/artifacts`, `${site.root}/env`, '-mindepth', '2', '-maxdepth', '2', '-print0'],
  })
  const operations = listing.stdout
    .split('\0')
    .filter((path) => path !== '')
    .filter((path) => {
      const inArtifacts = path.startsWith(`${site.root}/artifacts/`)
      const place = path.slice(`${site.root}/${inArtifacts ? 'artifacts' : 'env'}/`.length)
      // An inventory goes with the artifact beside it.
      const name = place.replace(/\/\.(.+)\.inventory$/, '/$1')
      return !(inArtifacts ? artifacts : configs).has(name)
    })
    .map((path): Operation => ({ kind: 'remove', path }))
  if (operations.length > 0) await act(site.host, await fenceAt(scope, site), operations)
}

import { act, raiseFence } from '../hosts/act.ts'
import type { Operation } from '../hosts/operation.ts'
import { Refusal } from '../problem/problem.ts'
import type { SlotRef, SlotReport } from '../runtimes/runtime.ts'
import { arrangementOf } from './arrangements.ts'
import type { Context } from './context.ts'
import { everywhere } from './everywhere.ts'
import { look } from './fleet-state.ts'
import { isOvertaken } from './passing.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseRef, ReleaseSet } from './records.ts'
import { routesOf } from './routes.ts'
import type { Arrangement } from './routes.ts'
import { blueprintOf, fenceAt, sites, takePermit } from './scope.ts'
import type { Scope, Site } from './scope.ts'

/**
 * What is left to do once a kept release has been live for the warm time: slots that are not live are stopped, routes
 * of services that left are forgotten, and of older releases only the newest kept ones stay on the hosts. It looks at
 * what is live now, so a sweep that comes late or twice does no harm; one that comes in the warm time of a newer release
 * leaves all to the sweep of that one.
 */
export async function sweep(scope: Scope): Promise<void> {
  const { context, ref } = scope
  await takePermit(scope)
  const live = await context.records.live(ref)
  if (live === undefined || isForLater(ref, live)) return
  const kept = await keptSets(context, live)
  const arrangement = await arrangementOf(scope, live)
  // What lies on a host that may not run what is live is of use to whoever brings it there.
  const all = sites(context, ref.fleet, blueprintOf(live)).filter(({ host }) => !arrangement.shunned.has(host.name))
  const swept = await everywhere(all, async (site) => {
    try {
      await sweepSite(scope, site, { live, kept, arrangement })
      return true
    } catch (error) {
      // One that is away must not keep the others from being swept; it is marked, and swept when it is back.
      if (!(error instanceof Refusal) || isOvertaken(error)) throw error
      context.log(`sweep of ${site.host.name}: ${error.message}`)
      return false
    }
  })
  const missed = all.filter((_, index) => swept[index] === false).map(({ host }) => host.name)
  const why = `could not be swept after release ${live.number}`
  await context.marks.set(
    ref,
    missed.map((host) => ({ host, since: live.number, why, untidy: true })),
  )
  await dismissHosts(scope, live)
}

/** A newer release was kept, and what it has replaced is still warm: its own sweep comes. One that broke has none. */
function isForLater({ number }: ReleaseRef, live: StoredRelease): boolean {
  if (live.number === number || live.outcome !== 'kept' || live.endedAt === undefined) return false
  return Date.now() < live.endedAt + blueprintOf(live).environment.warmMs
}

/** Leaves on these hosts what is live and may be gone back to, and nothing that an undone release has laid or started. */
export async function sweepHosts(scope: Scope, live: StoredRelease, hosts: readonly string[]): Promise<void> {
  const kept = await keptSets(scope.context, live)
  const arrangement = await arrangementOf(scope, live)
  const all = sites(scope.context, scope.ref.fleet, blueprintOf(live)).filter(({ host }) => hosts.includes(host.name))
  await everywhere(all, (site) => sweepSite(scope, site, { live, kept, arrangement }))
}

interface Sweeping {
  readonly live: StoredRelease
  readonly kept: readonly ReleaseSet[]
  readonly arrangement: Arrangement
}

async function sweepSite(scope: Scope, site: Site, { live, kept, arrangement }: Sweeping): Promise<void> {
  const fence = await fenceAt(scope, site)
  // Under a new number the host throws away what commands of before have left half-made.
  await raiseFence(site.host, fence)
  const running = await stopWhatIsNotLive(scope, site, live)
  await site.router.shape(site.host, fence, routesOf(arrangement, site.host.name))
  await forgetOldVersions(scope, site, { kept, running })
}

/**
 * A host that was taken out of the environment runs nothing of it any more, as far as it can be told. One that says that
 * it has taken part in what is live now is still of it, under another name.
 */
async function dismissHosts(scope: Scope, live: StoredRelease): Promise<void> {
  const previous = await scope.context.records.previous(live, live.number)
  if (previous?.blueprint === undefined) return
  const stay = new Set(blueprintOf(live).hosts.map(({ name }) => name))
  const gone = sites(scope.context, live.fleet, previous.blueprint).filter(({ host }) => !stay.has(host.name))
  await Promise.all(
    gone.map((site) =>
      dismiss(scope, site, live).catch((error: unknown) =>
        scope.context.log(`${site.host.name} has left ${live.environment}: ${String(error)}`),
      ),
    ),
  )
}

async function dismiss(scope: Scope, site: Site, live: StoredRelease): Promise<void> {
  const { live: set } = await site.router.observe(site.host, site.root)
  if (set === undefined || set.release >= live.number) return
  const fence = await fenceAt(scope, site)
  await site.router.teardown(site.host, fence)
  await site.runtime.teardown(site.host, fence)
}

/** Gives the slots that go on running. */
async function stopWhatIsNotLive(scope: Scope, site: Site, live: StoredRelease): Promise<readonly SlotReport[]> {
  const { live: set, slots } = await look(site)
  if (set === undefined) return slots
  const { choices } = set
  const idle = slots.filter(
    ({ service, slot, state }) => (state === 'running' || state === 'crashed') && choices[service]?.slot !== slot,
  )
  const stops = idle.map(({ service, slot }): SlotRef & { drainMs: number } => ({
    service,
    slot,
    drainMs: live.set?.[service]?.definition.drainMs ?? 10_000,
  }))
  const others = slots.filter((slot) => !idle.includes(slot))
  if (stops.length === 0) return others
  await site.runtime.stop(site.host, await fenceAt(scope, site), stops)
  for (const { service } of stops) {
    await scope.context.records.emit(live, { kind: 'service', service, host: site.host.name, state: 'stopped' })
  }
  return others
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

interface InUse {
  readonly kept: readonly ReleaseSet[]
  readonly running: readonly SlotReport[]
}

async function forgetOldVersions(scope: Scope, site: Site, { kept, running }: InUse): Promise<void> {
  const members = kept.flatMap((set) => Object.values(set))
  const artifacts = new Set(members.map(({ artifact }) => `${artifact.service}/${artifact.id}`))
  const configs = new Set(members.map(({ artifact, config }) => `${artifact.service}/${config}.env`))
  const listing = await site.host.run({
    program: 'find',
    argv: [`${site.root}/artifacts`, `${site.root}/env`, '-mindepth', '2', '-maxdepth', '2', '-printf', '%C@ %p\\0'],
  })
  const operations = listing.stdout
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => ({ changedMs: 1000 * Number.parseFloat(line), path: line.slice(line.indexOf(' ') + 1) }))
    .filter(({ changedMs, path }) => {
      const [, service] = /\/artifacts\/([^/]+)\/\..+\.altered$/.exec(path) ?? []
      // What was altered and laid anew is the working folder of slots that were started before.
      if (service !== undefined)
        return running.every((slot) => slot.service !== service || startedAfter(slot, changedMs))
      const inArtifacts = path.startsWith(`${site.root}/artifacts/`)
      const place = path.slice(`${site.root}/${inArtifacts ? 'artifacts' : 'env'}/`.length)
      // An inventory goes with the artifact beside it.
      const name = place.replace(/\/\.(.+)\.inventory$/, '/$1')
      return !(inArtifacts ? artifacts : configs).has(name)
    })
    .map(({ path }): Operation => ({ kind: 'remove', path }))
  if (operations.length > 0) await act(site.host, await fenceAt(scope, site), operations)
}

/** By the clock of the host, as both times are. */
function startedAfter({ startedAt = 0, state }: SlotReport, ms: number): boolean {
  return state !== 'running' || startedAt > ms
}

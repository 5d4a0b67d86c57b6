import { raiseFence } from '../hosts/act.ts'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { WaitingRoom } from '../routers/router.ts'
import { awaitReady } from '../runtimes/ready.ts'
import { arrangementsOf, previousSet } from './arrangements.ts'
import type { StoredRelease } from './record-store.ts'
import type { Before, ReleaseSet } from './records.ts'
import { movesBetweenHosts, routesMeanwhile } from './routes.ts'
import { fenceAt } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, setNames, slotSpec } from './slots.ts'
import { holdAndStop } from './swap.ts'

/** Takes one host back; whoever may still be at work for the release on it is shut out before anything is looked at. */
export async function takeBack(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  await raiseFence(site.host, await fenceAt(scope, site))
  await switchBack(scope, site, release)
  await scope.context.reach('undo:back')
  await stopNewSlots(scope, site, release)
  const live = release.before?.[site.host.name]?.live
  await site.router.prune(site.host, await fenceAt(scope, site), [live?.name ?? setNames.nothing()])
}

async function switchBack(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const now = (await site.router.observe(site.host, site.root)).live
  const before = release.before?.[site.host.name]?.live
  if (now === undefined || now.release !== release.number) return

  const previous = await previousSet(scope, before?.release)
  await restartStopped(scope, site, release, previous)
  await leadBack(scope, site, release)
  const name = before?.name ?? setNames.nothing()
  await site.router.lay(site.host, await fenceAt(scope, site), before ?? { name, release: 0, choices: {} })
  // The singletons of before start again while their requests wait, and only then does everything go back at once.
  const room = await exchangeBack(scope, site, release, previous)
  await site.router.switch(site.host, await fenceAt(scope, site), name)
  for (const [service, slot] of movesOn(release.plan!, site.host.name).swapped) {
    const port = previous[service]?.definition.slotPorts?.[slot === 'a' ? 1 : 0]
    if (port !== undefined) room?.open(service, port)
  }
  await room?.close()
}

/** Before the switch back, the ways of a host lead again to where services ran before. */
async function leadBack(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const { live, wanted } = await arrangementsOf(scope, release)
  if (!movesBetweenHosts(live.set, wanted.set)) return
  await site.router.shape(site.host, await fenceAt(scope, site), routesMeanwhile(live, wanted, site.host.name))
}

/** An old slot that died or was stopped since the switch is started again before traffic goes back to it. */
async function restartStopped(scope: Scope, site: Site, release: StoredRelease, previous: ReleaseSet): Promise<void> {
  const moves = movesOn(release.plan!, site.host.name)
  const live = release.before?.[site.host.name]?.live?.choices ?? {}
  const services = [...moves.beside.keys()].filter(
    (service) => previous[service] !== undefined && live[service] !== undefined,
  )
  await Promise.all(
    services.map((service) => startPrevious({ scope, site, previous, service, slot: live[service]!.slot })),
  )
}

export interface StartPrevious {
  readonly scope: Scope
  readonly site: Site
  readonly previous: ReleaseSet
  readonly service: string
  readonly slot: SlotName
}

export async function startPrevious({ scope, site, previous, service, slot }: StartPrevious): Promise<void> {
  const member = previous[service]!
  const spec = slotSpec({ layout: site.layout, member, slot, release: member.release })
  await site.runtime.start(site.host, await fenceAt(scope, site), [spec])
  const port = spec.port === undefined ? {} : { port: spec.port }
  await awaitReady({
    host: site.host,
    runtime: site.runtime,
    root: site.root,
    slot: { service, slot },
    readiness: member.definition.ready,
    signal: scope.signal,
    ...port,
  })
}

async function exchangeBack(
  scope: Scope,
  site: Site,
  release: StoredRelease,
  previous: ReleaseSet,
): Promise<WaitingRoom | undefined> {
  const { swapped } = movesOn(release.plan!, site.host.name)
  if (swapped.size === 0) return undefined
  const now = (await site.router.observe(site.host, site.root)).live
  const room = await holdAndStop(scope, {
    site,
    stop: swapped,
    stopping: release.set ?? {},
    services: [...swapped.keys()],
    live: now,
    heldName: setNames.heldBack(release.number),
    release: release.number,
  })
  const live = release.before?.[site.host.name]?.live?.choices ?? {}
  const returning = [...swapped].filter(([service]) => previous[service] !== undefined && live[service] !== undefined)
  await Promise.all(
    returning.map(([service, slot]) => startPrevious({ scope, site, previous, service, slot: otherSlot(slot) })),
  )
  return room
}

/** Stops what this release started and what is not live now; slots that ran before stay as they were. */
async function stopNewSlots(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const ran = new Set(runningBefore(release.before?.[site.host.name]?.slots ?? []))
  const moves = movesOn(release.plan!, site.host.name)
  const stops = [...moves.beside, ...moves.swapped]
    .filter(([service, slot]) => !ran.has(`${service}/${slot}`))
    .map(([service, slot]) => ({ service, slot, drainMs: release.set?.[service]?.definition.drainMs ?? 10_000 }))
  if (stops.length > 0) await site.runtime.stop(site.host, await fenceAt(scope, site), stops)
}

function runningBefore(slots: Before[string]['slots']): string[] {
  return slots.filter((slot) => slot.state === 'running').map((slot) => `${slot.service}/${slot.slot}`)
}

export async function isLiveAsBefore(site: Site, release: StoredRelease): Promise<boolean> {
  const now = await site.router.observe(site.host, site.root).catch(() => undefined)
  return now !== undefined && now.live?.name === release.before?.[site.host.name]?.live?.name
}

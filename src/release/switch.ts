import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import { refusal } from '../problem/problem.ts'
import type { WaitingRoom } from '../routers/router.ts'
import { arrangementsOf, previousSet } from './arrangements.ts'
import { everywhere } from './everywhere.ts'
import type { Batch } from './planning.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet } from './records.ts'
import { movesBetweenHosts, routesOf } from './routes.ts'
import { emit, enter, fenceAt, setToken, sitesOf } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, runsOn, setNames } from './slots.ts'
import { askSmoke } from './smoke.ts'
import { planned } from './stage.ts'
import { startAndWait } from './start.ts'
import type { StartInput } from './start.ts'
import { holdAndStop } from './swap.ts'

/**
 * The switch of a batch of hosts. First the new set is asked by its token, before anyone sees it; then singletons are
 * exchanged with their requests waiting; then one rename per host moves every service at once. Safe to repeat at any
 * point: each part finds what an earlier try has done. Gives the moment at which the traffic had moved.
 */
export async function switchOver(scope: Scope, batch: Batch & { readonly last: boolean }): Promise<number> {
  const release = await enter(scope, 'switch')
  const all = sitesOf(scope.context, release).filter(({ host }) => batch.hosts.includes(host.name))
  const previous = await previousSet(scope, release.liveBefore)
  await everywhere(all, (site) => proveUnseen(scope, { site, release, previous }))
  const rooms = await exchangeSingletons(scope, all, release)
  await scope.context.reach('switch:exchanged')
  const started = Date.now()
  await everywhere(all, (site) => makeLive(scope, site, release))
  await scope.context.reach('switch:renamed')
  const switchedAt = Date.now()
  await scope.context.records.change(scope.ref, { switchedAt: release.switchedAt ?? switchedAt })
  if (batch.last) await makeCurrent(scope, release)
  const moved = planned(release).plan.services.filter((service) => service.change !== 'same').length
  for (const site of all)
    await emit(scope, { kind: 'switched', host: site.host.name, services: moved, ms: switchedAt - started })
  await everywhere(all, (site, index) => openRoom(site, release, rooms[index]))
  if (batch.last) await followPlacement(scope, release)
  return switchedAt
}

/** The release is what is live from here on; a host that it left out is not sent anything until it has been healed. */
async function makeCurrent(scope: Scope, { order, number, without = [] }: StoredRelease): Promise<void> {
  if (order.goal !== 'heal') await scope.context.records.setLive(scope.ref, number)
  const why = `was left out of release ${number}`
  await scope.context.marks.set(
    scope.ref,
    without.map((host) => ({ host, since: number, why })),
  )
}

interface Unseen {
  readonly site: Site
  readonly release: StoredRelease
  readonly previous: ReleaseSet
}

async function proveUnseen(scope: Scope, { site, release, previous }: Unseen): Promise<void> {
  const { plan, set } = planned(release)
  const host = site.host.name
  // What comes to this host is still answered by others here; its slot has proven that it is ready.
  const services = [...movesOn(plan, host).beside.keys()].filter(
    (service) => previous[service] === undefined || runsOn(previous[service], host),
  )
  const problems = await askSmoke({
    site,
    set,
    services,
    token: await setToken(scope.context, scope.ref),
    signal: scope.signal,
  })
  if (problems.length > 0)
    throw refusal(
      'release/smoke',
      `host ${host}`,
      `the new set does not answer: ${problems.map((p) => `${p.where.at} ${p.what}`).join('; ')}`,
    )
}

/** On no host one starts before it has stopped on every other. */
async function exchangeSingletons(
  scope: Scope,
  all: readonly Site[],
  release: StoredRelease,
): Promise<(WaitingRoom | undefined)[]> {
  const rooms = await everywhere(all, (site) => stopOld(scope, site, release))
  await everywhere(all, async (site) => {
    const { swapped } = movesOn(planned(release).plan, site.host.name)
    await Promise.all([...swapped].map(([service, slot]) => startNew({ scope, site, release, service, slot })))
  })
  return rooms
}

async function stopOld(scope: Scope, site: Site, release: StoredRelease): Promise<WaitingRoom | undefined> {
  const { plan, before } = planned(release)
  const { swapped, leaving } = movesOn(plan, site.host.name)
  if (swapped.size + leaving.size === 0) return undefined
  const live = before[site.host.name]?.live
  const replaced = [...swapped]
    .filter(([service]) => live?.choices[service] !== undefined)
    .map(([service, slot]): [string, SlotName] => [service, otherSlot(slot)])
  return holdAndStop(scope, {
    site,
    stop: new Map([...replaced, ...leaving]),
    stopping: await previousSet(scope, live?.release),
    services: [...swapped.keys()],
    live,
    heldName: setNames.held(release.number),
    release: release.number,
  })
}

async function startNew(input: StartInput): Promise<void> {
  const { scope, site, service } = input
  const began = Date.now()
  await emit(scope, { kind: 'service', service, host: site.host.name, state: 'starting' })
  await startAndWait(input)
  await emit(scope, { kind: 'service', service, host: site.host.name, state: 'ready', ms: Date.now() - began })
}

/** The set itself has lain there since the stage step. */
async function makeLive(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  await site.router.switch(site.host, await fenceAt(scope, site), setNames.shielded(release.number))
}

/** What has left a host or come to one is live now: the ways of all hosts lead there from here on. */
async function followPlacement(scope: Scope, release: StoredRelease): Promise<void> {
  const { live, wanted } = await arrangementsOf(scope, release)
  if (!movesBetweenHosts(live.set, wanted.set)) return
  await everywhere(sitesOf(scope.context, release), async (site) =>
    site.router.shape(site.host, await fenceAt(scope, site), routesOf(wanted, site.host.name)),
  )
}

async function openRoom(site: Site, release: StoredRelease, room: WaitingRoom | undefined): Promise<void> {
  if (room === undefined) return
  const { plan, set } = planned(release)
  for (const [service, slot] of movesOn(plan, site.host.name).swapped) {
    const port = set[service]?.definition.slotPorts?.[slot === 'a' ? 0 : 1]
    if (port !== undefined) room.open(service, port)
  }
  await room.close()
}

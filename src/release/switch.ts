import { refusal } from '../problem/problem.ts'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { WaitingRoom } from '../routers/router.ts'
import type { StoredRelease } from './record-store.ts'
import { blueprintOf, emit, enter, fenceAt, setToken, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, setNames } from './slots.ts'
import { planned } from './stage.ts'
import { startAndWait } from './start.ts'
import { holdAndStop } from './swap.ts'
import { askSmoke } from './smoke.ts'

/**
 * The switch. First the new set is asked by its token, before anyone sees it; then singletons are exchanged with
 * their requests waiting; then one rename per host moves every service at once. Safe to repeat at any point: each
 * part finds what an earlier try has done.
 */
export async function switchOver(scope: Scope): Promise<void> {
  const release = await enter(scope, 'switch')
  const all = sites(scope.context, scope.ref.fleet, blueprintOf(release))
  await Promise.all(all.map((site) => proveUnseen(scope, site, release)))
  const rooms = await Promise.all(all.map((site) => exchangeSingletons(scope, site, release)))
  await scope.context.reach('switch:exchanged')
  const started = Date.now()
  await Promise.all(all.map((site) => makeLive(scope, site, release)))
  await scope.context.reach('switch:renamed')
  await scope.context.records.change(scope.ref, { switchedAt: Date.now() })
  await scope.context.records.setLive(scope.ref, scope.ref.number)
  const moved = planned(release).plan.services.filter((service) => service.change !== 'same').length
  for (const site of all)
    await emit(scope, { kind: 'switched', host: site.host.name, services: moved, ms: Date.now() - started })
  for (const [index, site] of all.entries()) await openRoom(site, release, rooms[index])
}

async function proveUnseen(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const { plan, set } = planned(release)
  const services = [...movesOn(plan, site.host.name).beside.keys()]
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
      `host ${site.host.name}`,
      `the new set does not answer: ${problems.map((p) => `${p.where.at} ${p.what}`).join('; ')}`,
    )
}

async function exchangeSingletons(scope: Scope, site: Site, release: StoredRelease): Promise<WaitingRoom | undefined> {
  const { plan, before } = planned(release)
  const { swapped } = movesOn(plan, site.host.name)
  if (swapped.size === 0) return undefined
  const live = before[site.host.name]?.live
  const previous = await previousSet(scope, live?.release)
  const stop = new Map(
    [...swapped]
      .filter(([service]) => live?.choices[service] !== undefined)
      .map(([service, slot]): [string, SlotName] => [service, otherSlot(slot)]),
  )
  const services = [...swapped.keys()]
  const room = await holdAndStop(scope, {
    site,
    stop,
    stopping: previous,
    services,
    live,
    heldName: setNames.held(release.number),
    release: release.number,
  })
  await Promise.all(
    [...swapped].map(async ([service, slot]) => {
      const began = Date.now()
      await emit(scope, { kind: 'service', service, host: site.host.name, state: 'starting' })
      await startAndWait({ scope, site, release, service, slot })
      await emit(scope, { kind: 'service', service, host: site.host.name, state: 'ready', ms: Date.now() - began })
    }),
  )
  return room
}

/** The members that are live until now; none before the first release. */
export async function previousSet(
  scope: Scope,
  number: number | undefined,
): Promise<NonNullable<StoredRelease['set']>> {
  if (number === undefined || number === 0) return {}
  return (await scope.context.records.find({ ...scope.ref, number })).set ?? {}
}

/** The set itself has lain there since the stage step. */
async function makeLive(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  await site.router.switch(site.host, await fenceAt(scope, site), setNames.shielded(release.number))
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

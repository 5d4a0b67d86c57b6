import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { Problem } from '../problem/problem.ts'
import { Refusal, problem } from '../problem/problem.ts'
import { awaitReady } from '../runtimes/ready.ts'
import type { WaitingRoom } from '../routers/router.ts'
import type { StoredRelease } from './record-store.ts'
import { unforeseen } from './record-store.ts'
import type { Before, Phase, ReleaseSet } from './records.ts'
import { blueprintOf, enter, fenceAt, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, setNames, slotSpec } from './slots.ts'
import { holdAndStop } from './swap.ts'
import { previousSet } from './switch.ts'
import { total, trafficOf } from './verify.ts'

/** Why a release is undone: it failed with these problems, or a person cancelled it. */
export interface Cause {
  readonly cancelled: boolean
  readonly problems: readonly Problem[]
  /** The phase in which it ended: up to the gate no host has been touched. */
  readonly phase: Phase
}

/**
 * Takes a release back, from wherever it got to: what is live is what was live before, the new slots are stopped. It takes the
 * permit from the release first, so that nothing of that is still under way. Safe to repeat at any point.
 */
export async function undo(scope: Scope, cause: Cause): Promise<void> {
  const release = await enter(scope, 'undo')
  if (BEFORE_ANY_HOST.has(cause.phase)) {
    const outcome = cause.cancelled ? 'cancelled' : cause.phase === 'build' ? 'restored' : 'refused'
    return scope.context.records.end(scope.ref, { outcome, problems: cause.problems })
  }
  await scope.context.permits.take(scope.ref, scope.holder)
  const all = sites(scope.context, scope.ref.fleet, blueprintOf(release))
  const left = (await Promise.all(all.map((site) => undoHost(scope, site, release, cause.phase)))).flat()
  const live = Object.values(release.before ?? {}).find((host) => host.live !== undefined)?.live?.release
  await scope.context.records.setLive(scope.ref, live)
  const traffic = total(await trafficOf(all, release.startedAt ?? release.requestedAt, Date.now()))
  const broken = left.some(({ severity }) => severity === 'error')
  const outcome = broken ? 'broken' : cause.cancelled ? 'cancelled' : 'restored'
  await scope.context.records.end(scope.ref, { outcome, problems: [...cause.problems, ...left], traffic })
}

/** In these phases things are laid and started beside what is live; singletons are not touched. */
const BESIDE_LIVE: ReadonlySet<Phase> = new Set(['stage', 'migrate', 'start'])
const BEFORE_ANY_HOST: ReadonlySet<Phase> = new Set(['queued', 'source', 'build', 'plan', 'gate'])

/** Gives what went wrong: as warnings where only something is left behind that the next release or sweep clears away. */
async function undoHost(scope: Scope, site: Site, release: StoredRelease, phase: Phase): Promise<Problem[]> {
  try {
    await switchBack(scope, site, release)
    await scope.context.reach('undo:back')
    await stopNewSlots(scope, site, release)
    const live = release.before?.[site.host.name]?.live
    await site.router.prune(site.host, await fenceAt(scope, site), [live?.name ?? setNames.nothing()])
    return []
  } catch (error) {
    const problems = error instanceof Refusal ? error.problems : [unforeseen(error)]
    // Such as a full disk, on which nothing can be stopped or removed either.
    const harmless = BESIDE_LIVE.has(phase) && (await isLiveAsBefore(site, release))
    return problems.map((found) => (harmless ? { ...found, severity: 'warning' } : found))
  }
}

async function isLiveAsBefore(site: Site, release: StoredRelease): Promise<boolean> {
  const now = await site.router.observe(site.host, site.root).catch(() => undefined)
  return now !== undefined && now.live?.name === release.before?.[site.host.name]?.live?.name
}

async function switchBack(scope: Scope, site: Site, release: StoredRelease): Promise<void> {
  const now = (await site.router.observe(site.host, site.root)).live
  const before = release.before?.[site.host.name]?.live
  if (now === undefined || now.release !== release.number) return

  const previous = await previousSet(scope, before?.release)
  await restartStopped(scope, site, release, previous)
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

interface StartPrevious {
  readonly scope: Scope
  readonly site: Site
  readonly previous: ReleaseSet
  readonly service: string
  readonly slot: SlotName
}

async function startPrevious({ scope, site, previous, service, slot }: StartPrevious): Promise<void> {
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
  const returning = [...swapped].filter(([service]) => previous[service] !== undefined)
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

/** The problem of a release that was given up because its worker died too often on it. */
export function poisoned(): Problem {
  return problem(
    'release/poison',
    'drover',
    'the release ended its worker again and again and was given up',
    'The server log has the last words of each; the set from before is live.',
  )
}

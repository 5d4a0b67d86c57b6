import type { SlotName } from '../manifest/fleet.ts'
import type { RouteSet, WaitingRoom } from '../routers/router.ts'
import type { ReleaseSet, SetMember } from './records.ts'
import { emit, fenceAt } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { heldRoutes } from './slots.ts'

/** What must not run twice: which slot stops, which starts, and what is live meanwhile. */
export interface Exchange {
  readonly site: Site
  /** Slots to stop, by service; a service that is not live yet is not among them. */
  readonly stop: ReadonlyMap<string, SlotName>
  /** The versions that are stopped, for their pause paths and drain times. */
  readonly stopping: ReleaseSet
  /** Services whose requests wait while they are away; one that goes to another host is not among them. */
  readonly services: readonly string[]
  readonly live: RouteSet | undefined
  readonly heldName: string
  readonly release: number
}

/**
 * Holds the requests of these services in the router's waiting room, stops their intake of work, lets them finish and
 * stops them. Afterwards none of them runs, and `start` may start the other version. Safe to repeat at any point.
 */
export async function holdAndStop(scope: Scope, exchange: Exchange): Promise<WaitingRoom | undefined> {
  const { site, services, live, stop } = exchange
  const room = services.length === 0 ? undefined : await site.router.waitingRoom(site.host, site.root)
  if (live !== undefined && services.some((service) => stop.has(service))) {
    await site.router.lay(
      site.host,
      await fenceAt(scope, site),
      heldRoutes(exchange.heldName, exchange.release, live, services),
    )
    await site.router.switch(site.host, await fenceAt(scope, site), exchange.heldName)
  }
  await scope.context.reach('swap:held')
  for (const service of services.filter((each) => stop.has(each)))
    await emit(scope, { kind: 'service', service, host: site.host.name, state: 'held' })
  await Promise.all([...stop].map(([service, slot]) => drain(scope, site, exchange.stopping[service], slot)))
  const slots = [...stop].map(([service, slot]) => ({
    service,
    slot,
    drainMs: exchange.stopping[service]?.definition.drainMs ?? 10_000,
  }))
  if (slots.length > 0) await site.runtime.stop(site.host, await fenceAt(scope, site), slots)
  await scope.context.reach('swap:stopped')
  return room
}

/** Asks a singleton to take no new work and waits until it has none, at most its drain time; then it is stopped anyway. */
async function drain(scope: Scope, site: Site, member: SetMember | undefined, slot: SlotName): Promise<void> {
  const singleton = member?.definition.singleton
  const port = member?.definition.slotPorts?.[slot === 'a' ? 0 : 1]
  if (member === undefined || singleton === undefined || port === undefined) return
  const deadline = performance.now() + member.definition.drainMs
  if (singleton.pause !== undefined) {
    const [answer] = await site.host.probe(
      [{ port, path: singleton.pause, method: 'POST', timeoutMs: 2000 }],
      scope.signal,
    )
    if (answer?.status === undefined || answer.status >= 400) {
      await note(
        scope,
        member,
        `did not take the pause (${answer?.status ?? answer?.error ?? 'no answer'}); it is stopped all the same`,
      )
    }
  }
  if (singleton.active === undefined) return
  while (performance.now() < deadline) {
    const [answer] = await site.host.probe([{ port, path: singleton.active, timeoutMs: 2000 }], scope.signal)
    const active = answer?.status === 200 ? activeCount(answer.body) : undefined
    if (active === 0 || answer?.status === undefined) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await note(scope, member, `still had work after ${member.definition.drainMs} ms`)
}

function activeCount(body: string): number | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    const active = typeof parsed === 'object' && parsed !== null ? (parsed as { active?: unknown }).active : undefined
    return typeof active === 'number' ? active : undefined
  } catch {
    return undefined
  }
}

function note(scope: Scope, member: SetMember, text: string): Promise<void> {
  return emit(scope, { kind: 'note', text: `${member.artifact.service} ${text}` })
}

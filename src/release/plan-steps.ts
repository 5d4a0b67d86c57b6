import type { SlotName } from '../manifest/fleet.ts'
import type { Step, WantedService } from './plan.ts'

/** What is to be done to one service on one host. */
export interface Move {
  /** Key of the step that starts it. */
  readonly key: string
  readonly service: WantedService
  readonly kind: 'start' | 'adopt' | 'swap'
  readonly slot: SlotName
  readonly retires: boolean
}

export interface HostMoves {
  readonly host: string
  readonly moves: ReadonlyMap<string, Move>
  readonly removed: readonly { readonly service: string; readonly slot: SlotName }[]
}

/** The steps of a release, each after everything that it waits for. `ordered` has needs before those that need them. */
export function stepsOf(ordered: readonly WantedService[], hosts: readonly HostMoves[]): Step[] {
  const busy = hosts.filter((host) => host.moves.size > 0 || host.removed.length > 0)
  if (busy.length === 0) return []
  const stages = busy.map((host): Step => ({ key: `stage:${host.host}`, kind: 'stage', host: host.host, after: [] }))
  const migrations = migrationSteps(ordered, busy, stages)
  const before = [...stages, ...migrations].map((step) => step.key)
  const starts = startSteps(ordered, busy, migrations.length > 0 ? migrations.map((step) => step.key) : undefined)
  const prepared: Step = { key: 'prepared', kind: 'prepared', after: before.concat(starts.map((step) => step.key)) }
  const swaps = swapSteps(ordered, busy)
  const switches = switchSteps(busy, swaps)
  const verify: Step = { key: 'verify', kind: 'verify', after: switches.map((step) => step.key) }
  return stages.concat(migrations, starts, prepared, swaps, switches, verify, retireSteps(busy))
}

function migrationSteps(
  ordered: readonly WantedService[],
  busy: readonly HostMoves[],
  stages: readonly Step[],
): Step[] {
  const steps: Step[] = []
  const lastOfStore = new Map<string, string>()
  for (const service of ordered) {
    if (service.migrates === undefined) continue
    const host = busy.find((candidate) => candidate.moves.has(service.name))
    if (host === undefined) continue
    const previous = lastOfStore.get(service.migrates)
    const key = `migrate:${service.migrates}:${service.name}`
    const after = previous === undefined ? stages.map((step) => step.key) : [previous]
    steps.push({ key, kind: 'migrate', service: service.name, host: host.host, after })
    lastOfStore.set(service.migrates, key)
  }
  return steps
}

function startSteps(
  ordered: readonly WantedService[],
  busy: readonly HostMoves[],
  migrations: readonly string[] | undefined,
): Step[] {
  const elsewhere = new Map<string, readonly string[]>()
  // Lists that many steps have in common are one object: a large plan has hundreds of thousands of steps.
  const firstOf = busy.map((host) => migrations ?? [`stage:${host.host}`])
  const steps: Step[] = []
  // By service, then by host: a need that lives elsewhere stands before those that wait for it.
  for (const service of ordered) {
    for (const [index, host] of busy.entries()) {
      const move = host.moves.get(service.name)
      if (move === undefined || move.kind === 'swap') continue
      const needs = needsOf(service, host, (need) => keysElsewhere(need, busy, elsewhere))
      const first = firstOf[index]!
      // Migrations wait for every staging, and a need on this host for this one.
      const staged = migrations !== undefined || needs.onHost
      const after = needs.keys.length === 0 ? first : staged ? needs.keys : [...first, ...needs.keys]
      steps.push({ key: move.key, kind: move.kind, service: service.name, host: host.host, slot: move.slot, after })
    }
  }
  return steps
}

/** A need that starts on the same host is waited for there; one that lives elsewhere, on every host that starts it. */
function needsOf(
  service: WantedService,
  host: HostMoves,
  elsewhere: (need: string) => readonly string[],
): { readonly keys: readonly string[]; readonly onHost: boolean } {
  const keys: string[] = []
  let onHost = false
  for (const need of service.needs) {
    const here = host.moves.get(need)
    if (here === undefined) keys.push(...elsewhere(need))
    else if (here.kind !== 'swap') {
      keys.push(here.key)
      onHost = true
    }
  }
  return { keys, onHost }
}

function keysElsewhere(
  need: string,
  busy: readonly HostMoves[],
  found: Map<string, readonly string[]>,
): readonly string[] {
  let keys = found.get(need)
  if (keys === undefined) {
    keys = busy.flatMap((host) => {
      const move = host.moves.get(need)
      return move === undefined || move.kind === 'swap' ? [] : [move.key]
    })
    found.set(need, keys)
  }
  return keys
}

function swapSteps(ordered: readonly WantedService[], busy: readonly HostMoves[]): Step[] {
  const steps: Step[] = []
  for (const host of busy) {
    for (const service of ordered) {
      const move = host.moves.get(service.name)
      if (move?.kind !== 'swap') continue
      steps.push({
        key: `swap:${host.host}:${service.name}`,
        kind: 'swap',
        service: service.name,
        host: host.host,
        slot: move.slot,
        after: ['prepared'],
      })
    }
  }
  return steps
}

/** A host switches once its own singletons are swapped; the hosts switch together, none waits for another. */
function switchSteps(busy: readonly HostMoves[], swaps: readonly Step[]): Step[] {
  const swapsOf = Map.groupBy(swaps, (step) => step.host)
  return busy.map((host) => {
    const own = swapsOf.get(host.host)?.map((step) => step.key) ?? ['prepared']
    return { key: `switch:${host.host}`, kind: 'switch', host: host.host, after: own }
  })
}

/**
 * One per host for all slots that its starts replace, which are the other slot of each: naming every one again would
 * double a large plan. One more for each service that leaves the host.
 */
function retireSteps(busy: readonly HostMoves[]): Step[] {
  const after = ['verify']
  const steps: Step[] = []
  for (const { host, moves, removed } of busy) {
    if (moves.values().some((move) => move.retires)) steps.push({ key: `retire:${host}`, kind: 'retire', host, after })
    for (const { service, slot } of removed) {
      steps.push({ key: `retire:${host}:${service}`, kind: 'retire', service, host, slot, after })
    }
  }
  return steps
}

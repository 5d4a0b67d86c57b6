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
  /** Something is live on it. */
  readonly serves: boolean
  readonly moves: ReadonlyMap<string, Move>
  /** What of the host itself is put right by being staged and switched. */
  readonly repairs: readonly string[]
  /** What is live and not wanted here any more. */
  readonly removed: readonly Removed[]
}

export interface Removed {
  readonly service: string
  readonly slot: SlotName
  /** It must not run twice, and is wanted on another host: it stops at the switch, before it starts there. */
  readonly leaves: boolean
}

export interface Rolling {
  /** So many hosts at a time. */
  readonly batch: number
  readonly order: readonly string[]
}

/**
 * The hosts in the batches in which they switch; none when nothing is to be done on any. Those on which nothing moves take
 * part all the same, with the last batch, so that every host says the same of what is live. A first release, which has
 * nothing to protect, and one in which a singleton moves to another host are one batch.
 */
export function batchesOf(hosts: readonly HostMoves[], rolling: Rolling | undefined): (readonly HostMoves[])[] {
  const busy = hosts.filter((host) => host.moves.size + host.removed.length + host.repairs.length > 0)
  if (busy.length === 0) return []
  const atOnce =
    !hosts.some(({ serves }) => serves) || hosts.some(({ removed }) => removed.some(({ leaves }) => leaves))
  if (rolling === undefined || atOnce) return [hosts]
  const ordered = rolling.order.flatMap((name) => busy.filter(({ host }) => host === name))
  const batches: HostMoves[][] = []
  for (let from = 0; from < ordered.length; from += rolling.batch) {
    batches.push(ordered.slice(from, from + rolling.batch))
  }
  batches.at(-1)?.push(...hosts.filter((host) => !busy.includes(host)))
  return batches
}

/** The steps of a release, each after everything that it waits for. `ordered` has needs before those that need them. */
export function stepsOf(ordered: readonly WantedService[], batches: readonly (readonly HostMoves[])[]): Step[] {
  const steps: Step[] = []
  const migrated = new Set<string>()
  let last: readonly string[] = []
  for (const [index, hosts] of batches.entries()) {
    const batch = { hosts, name: batches.length === 1 ? '' : `:${index + 1}`, after: last }
    const own = batchSteps(
      ordered.filter(({ name }) => !migrated.has(name)),
      ordered,
      batch,
    )
    for (const { kind, service } of own) if (kind === 'migrate') migrated.add(service!)
    steps.push(...own)
    last = [`verify${batch.name}`]
  }
  return steps.concat(retireSteps(batches.flat(), last))
}

/** Hosts that are prepared, switched and judged together. */
interface Batch {
  readonly hosts: readonly HostMoves[]
  /** Ends the keys of what a batch has once. */
  readonly name: string
  /** What comes before all of it. */
  readonly after: readonly string[]
}

function batchSteps(unmigrated: readonly WantedService[], ordered: readonly WantedService[], batch: Batch): Step[] {
  const { hosts, name, after } = batch
  const stages = hosts.map(({ host }): Step => ({ key: `stage:${host}`, kind: 'stage', host, after }))
  const migrations = migrationSteps(unmigrated, hosts, stages)
  const before = [...stages, ...migrations].map((step) => step.key)
  const starts = startSteps(ordered, hosts, migrations.length > 0 ? migrations.map((step) => step.key) : undefined)
  const key = `prepared${name}`
  const prepared: Step = { key, kind: 'prepared', after: before.concat(starts.map((step) => step.key)) }
  const swaps = swapSteps(ordered, hosts, key)
  const switches = switchSteps(hosts, swaps, key)
  const verify: Step = { key: `verify${name}`, kind: 'verify', after: switches.map((step) => step.key) }
  return stages.concat(migrations, starts, prepared, swaps, switches, verify)
}

function migrationSteps(
  ordered: readonly WantedService[],
  hosts: readonly HostMoves[],
  stages: readonly Step[],
): Step[] {
  const steps: Step[] = []
  const lastOfStore = new Map<string, string>()
  for (const service of ordered) {
    if (service.migrates === undefined) continue
    const host = hosts.find((candidate) => candidate.moves.has(service.name))
    if (host === undefined) continue
    const previous = lastOfStore.get(service.migrates)
    const key = `migrate:${service.migrates}:${service.name}`
    const after = previous === undefined ? stages.map((step) => step.key) : [previous]
    steps.push({ key, kind: 'migrate', service: service.name, host: host.host, after })
    lastOfStore.set(service.migrates, key)
  }
  return steps
}

const NO_NEEDS = { keys: [], onHost: false } as const

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
      // What runs already found its needs when it started.
      const needs =
        move.kind === 'adopt' ? NO_NEEDS : needsOf(service, host, (need) => keysElsewhere(need, busy, elsewhere))
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

/** Where it leaves it stops before it starts anywhere. */
function swapSteps(ordered: readonly WantedService[], hosts: readonly HostMoves[], prepared: string): Step[] {
  const steps = hosts.flatMap(({ host, removed }) =>
    removed
      .filter(({ leaves }) => leaves)
      .map(({ service, slot }): Step => {
        const key = `leave:${host}:${service}`
        return { key, kind: 'leave', service, host, slot, after: [prepared] }
      }),
  )
  const leaving = Map.groupBy(steps, (step) => step.service)
  for (const host of hosts) {
    for (const service of ordered) {
      const move = host.moves.get(service.name)
      if (move?.kind !== 'swap') continue
      steps.push({
        key: `swap:${host.host}:${service.name}`,
        kind: 'swap',
        service: service.name,
        host: host.host,
        slot: move.slot,
        after: leaving.get(service.name)?.map((step) => step.key) ?? [prepared],
      })
    }
  }
  return steps
}

/** A host switches once its own singletons are swapped; the hosts switch together, none waits for another. */
function switchSteps(hosts: readonly HostMoves[], swaps: readonly Step[], prepared: string): Step[] {
  const swapsOf = Map.groupBy(swaps, (step) => step.host)
  return hosts.map((host) => {
    const own = swapsOf.get(host.host)?.map((step) => step.key) ?? [prepared]
    return { key: `switch:${host.host}`, kind: 'switch', host: host.host, after: own }
  })
}

/**
 * One per host for all slots that its starts replace, which are the other slot of each: naming every one again would
 * double a large plan. One more for each service that leaves the host.
 */
function retireSteps(hosts: readonly HostMoves[], after: readonly string[]): Step[] {
  const steps: Step[] = []
  for (const { host, moves, removed } of hosts) {
    if (moves.values().some((move) => move.retires)) steps.push({ key: `retire:${host}`, kind: 'retire', host, after })
    for (const { service, slot, leaves } of removed) {
      if (!leaves) steps.push({ key: `retire:${host}:${service}`, kind: 'retire', service, host, slot, after })
    }
  }
  return steps
}

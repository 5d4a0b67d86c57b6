import { createHash } from 'node:crypto'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { SlotReport } from '../runtimes/runtime.ts'

/** `add`: not live yet. `change`: another artifact or configuration than what is live. `remove`: live, no longer wanted. */
export type Change = 'add' | 'change' | 'remove' | 'same'

/**
 * What a release will do, and nothing besides: carrying it out reads only this. A pure function of what is wanted
 * and what the hosts report; the same inputs give the same hash.
 */
export interface Plan {
  readonly fleet: string
  readonly environment: string
  readonly goal: 'deploy' | 'rollback'
  /** Sorted by name; one entry for every service that is wanted or live. */
  readonly services: readonly ServicePlan[]
  /** In an order in which they could be carried out one by one; `after` says how much of it may be parallel. */
  readonly steps: readonly Step[]
  /** sha256 over everything above, hex. */
  readonly hash: string
}

export interface ServicePlan {
  readonly service: string
  readonly change: Change
  readonly reasons: readonly string[]
  /** Absent when the artifact has still to be built, or for a removed service. */
  readonly artifact?: string
  readonly config?: string
}

export type StepKind = 'stage' | 'migrate' | 'start' | 'adopt' | 'prepared' | 'swap' | 'switch' | 'verify' | 'retire'

/**
 * `stage` lays files beside the live ones on a host. `start` starts a slot and waits for it; `adopt` only waits, the slot runs
 * already. `prepared` is the barrier before anything live is touched: every new slot on every host is ready. `swap` stops one slot of a singleton and starts the other, at the switch. `retire` stops a slot that is no longer live,
 * after the warm time.
 */
export interface Step {
  readonly key: string
  readonly kind: StepKind
  readonly service?: string
  readonly host?: string
  readonly slot?: SlotName
  /** Keys of the steps that must be done before. */
  readonly after: readonly string[]
}

export interface WantedService {
  readonly name: string
  /** Absent: not built yet, known only as different from everything that is live. */
  readonly artifact?: string
  readonly config: string
  readonly needs: readonly string[]
  /** Must not run twice, or serves nothing: stopped and started at the switch instead of beside. */
  readonly swaps: boolean
  /** Store that its migration changes; only set when the migration is to run in this release. */
  readonly migrates?: string
  readonly hosts: ReadonlySet<string>
  /** Why it differs, as far as the source knows. */
  readonly reasons: readonly string[]
}

/** What one host says of itself. */
export interface HostState {
  readonly host: string
  /** The slot that is live, per service. */
  readonly live: Readonly<Record<string, SlotName>>
  readonly slots: readonly SlotReport[]
}

export interface PlanInput {
  readonly fleet: string
  readonly environment: string
  readonly goal: Plan['goal']
  readonly wanted: readonly WantedService[]
  readonly hosts: readonly HostState[]
}

/** What is to be done to one service on one host. */
interface Move {
  /** Key of the step that starts it. */
  readonly key: string
  readonly service: WantedService
  readonly kind: 'start' | 'adopt' | 'swap'
  readonly slot: SlotName
  readonly retires: boolean
}

interface HostMoves {
  readonly host: string
  readonly moves: ReadonlyMap<string, Move>
  readonly removed: readonly { readonly service: string; readonly slot: SlotName }[]
}

/** The plan that takes the hosts from what they report to what is wanted. Time and memory grow with services × hosts. */
export function makePlan(input: PlanInput): Plan {
  // Whatever order the inputs came in: the hash must depend on what they say alone.
  const wanted = input.wanted.map((service) => ({ ...service, needs: service.needs.toSorted(compare) })).sort(byName)
  const state = input.hosts.toSorted((a, b) => compare(a.host, b.host)).map(indexSlots)
  const observations = new Map<string, Observation>()
  const byHost = state.map((host) => hostMoves(host, wanted, observations))
  const services = servicePlans(wanted, state, observations)
  const steps = stepsOf(dependencyOrder(wanted), byHost)
  const body = { fleet: input.fleet, environment: input.environment, goal: input.goal, services, steps }
  return { ...body, hash: hashPlan(body) }
}

/** Nothing to start, swap, remove or migrate. */
export function changesNothing(plan: Plan): boolean {
  return plan.steps.length === 0
}

export function countChanges(plan: Plan): Record<Change, number> {
  const counts = { add: 0, change: 0, remove: 0, same: 0 }
  for (const service of plan.services) counts[service.change]++
  return counts
}

interface IndexedHost {
  readonly host: string
  readonly live: HostState['live']
  readonly slots: ReadonlyMap<string, SlotReport>
}

function indexSlots(host: HostState): IndexedHost {
  return {
    host: host.host,
    live: host.live,
    slots: new Map(host.slots.map((report) => [`${report.service}/${report.slot}`, report])),
  }
}

/** How a service differs from what is wanted, over all hosts. */
interface Observation {
  liveSomewhere: boolean
  differs: boolean
  readonly reasons: Set<string>
}

function hostMoves(
  host: IndexedHost,
  wanted: readonly WantedService[],
  observations: Map<string, Observation>,
): HostMoves {
  const moves = new Map<string, Move>()
  const here = new Set<string>()
  for (const service of wanted) {
    const observation = observationOf(observations, service.name)
    if (!service.hosts.has(host.host)) {
      if (host.live[service.name] !== undefined) leaves(observation, host.host)
      continue
    }
    here.add(service.name)
    const move = moveOf(host, service, observation)
    if (move !== undefined) moves.set(service.name, move)
  }
  const removed = Object.entries(host.live)
    .filter(([service]) => !here.has(service))
    .map(([service, slot]) => ({ service, slot }))
    .sort((a, b) => compare(a.service, b.service))
  return { host: host.host, moves, removed }
}

function observationOf(observations: Map<string, Observation>, service: string): Observation {
  let observation = observations.get(service)
  if (observation === undefined) {
    observation = { liveSomewhere: false, differs: false, reasons: new Set() }
    observations.set(service, observation)
  }
  return observation
}

function leaves(observation: Observation, host: string): void {
  observation.liveSomewhere = true
  observation.differs = true
  observation.reasons.add(`no longer on ${host}`)
}

function moveOf(host: IndexedHost, service: WantedService, observation: Observation): Move | undefined {
  const liveSlot = host.live[service.name]
  const live = liveSlot === undefined ? undefined : host.slots.get(`${service.name}/${liveSlot}`)
  if (liveSlot !== undefined) observation.liveSomewhere = true
  const reason = liveSlot === undefined ? 'not live yet' : whyReplace(service, live)
  if (reason === undefined) return undefined

  observation.differs = true
  observation.reasons.add(reason)
  const slot = liveSlot === undefined ? 'a' : otherSlot(liveSlot)
  const there = host.slots.get(`${service.name}/${slot}`)
  const runsAlready = there?.state === 'running' && isVersion(there, service)
  const kind = service.swaps ? 'swap' : runsAlready ? 'adopt' : 'start'
  return {
    key: `start:${host.host}:${service.name}`,
    service,
    kind,
    slot,
    retires: liveSlot !== undefined && !service.swaps,
  }
}

function whyReplace(service: WantedService, live: SlotReport | undefined): string | undefined {
  if (live === undefined || live.state === 'absent') return 'its live slot is gone'
  if (live.state !== 'running') return `its live slot is ${live.state}`
  if (service.artifact === undefined || live.artifact !== service.artifact) return 'another artifact'
  if (live.config !== service.config) return 'another configuration'
  return undefined
}

function isVersion(report: SlotReport, service: WantedService): boolean {
  return service.artifact !== undefined && report.artifact === service.artifact && report.config === service.config
}

function servicePlans(
  wanted: readonly WantedService[],
  hosts: readonly IndexedHost[],
  observations: ReadonlyMap<string, Observation>,
): ServicePlan[] {
  const plans: ServicePlan[] = wanted.map((service) => {
    const observation = observations.get(service.name)
    const change: Change = !observation?.differs ? 'same' : observation.liveSomewhere ? 'change' : 'add'
    const sourceReasons = change === 'same' ? [] : service.reasons
    const observed = [...(observation?.reasons ?? [])].filter(
      (reason) => sourceReasons.length === 0 || reason !== 'another artifact',
    )
    return {
      service: service.name,
      change,
      reasons: [...sourceReasons, ...observed],
      ...(service.artifact === undefined ? {} : { artifact: service.artifact }),
      config: service.config,
    }
  })
  const known = new Set(wanted.map((service) => service.name))
  const removed = new Set(hosts.flatMap((host) => Object.keys(host.live).filter((service) => !known.has(service))))
  for (const service of removed) plans.push({ service, change: 'remove', reasons: ['no longer in the fleet'] })
  return plans.sort((a, b) => compare(a.service, b.service))
}

function stepsOf(ordered: readonly WantedService[], hosts: readonly HostMoves[]): Step[] {
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
  const steps: Step[] = []
  // By service, then by host: a need that lives elsewhere stands before those that wait for it.
  for (const service of ordered) {
    for (const host of busy) {
      const move = host.moves.get(service.name)
      if (move === undefined || move.kind === 'swap') continue
      const needs = needsOf(service, host, (need) => keysElsewhere(need, busy, elsewhere))
      const first = migrations ?? [`stage:${host.host}`]
      // Migrations wait for every staging, and a need on this host for this one.
      const staged = migrations !== undefined || needs.onHost
      const after = staged && needs.keys.length > 0 ? needs.keys : [...first, ...needs.keys]
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

function retireSteps(busy: readonly HostMoves[]): Step[] {
  const steps: Step[] = []
  for (const host of busy) {
    for (const [service, move] of host.moves) {
      if (!move.retires) continue
      steps.push({
        key: `retire:${host.host}:${service}`,
        kind: 'retire',
        service,
        host: host.host,
        slot: otherSlot(move.slot),
        after: ['verify'],
      })
    }
    for (const { service, slot } of host.removed) {
      steps.push({
        key: `retire:${host.host}:${service}`,
        kind: 'retire',
        service,
        host: host.host,
        slot,
        after: ['verify'],
      })
    }
  }
  return steps
}

/** Needs before those that need them; by name where the graph leaves a choice. A cycle cannot get here: the manifest refuses it. */
function dependencyOrder(wanted: readonly WantedService[]): WantedService[] {
  const known = new Map(wanted.map((service) => [service.name, service]))
  const open = new Map<string, number>()
  const neededBy = new Map<string, string[]>()
  for (const service of wanted) {
    const needs = service.needs.filter((need) => known.has(need))
    open.set(service.name, needs.length)
    for (const need of needs) {
      const dependants = neededBy.get(need)
      if (dependants === undefined) neededBy.set(need, [service.name])
      else dependants.push(service.name)
    }
  }
  const ordered: WantedService[] = []
  let tier = wanted.filter((service) => open.get(service.name) === 0).sort(byName)
  while (tier.length > 0) {
    ordered.push(...tier)
    const next: WantedService[] = []
    for (const service of tier) {
      for (const dependant of neededBy.get(service.name) ?? []) {
        const left = open.get(dependant)! - 1
        open.set(dependant, left)
        if (left === 0) next.push(known.get(dependant)!)
      }
    }
    tier = next.sort(byName)
  }
  return ordered
}

function hashPlan(plan: Omit<Plan, 'hash'>): string {
  const hash = createHash('sha256')
  hash.update(`${plan.fleet}\n${plan.environment}\n${plan.goal}\n${JSON.stringify(plan.services)}\n`)
  // Gathered, because a call of `update` costs more than the hashing of one step.
  let lines = ''
  for (const step of plan.steps) {
    lines += `${step.key} ${step.kind} ${step.slot ?? '-'} ${step.after.join(' ')}\n`
    if (lines.length < 65_536) continue
    hash.update(lines)
    lines = ''
  }
  return hash.update(lines).digest('hex')
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compare(a.name, b.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

import { createHash } from 'node:crypto'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import type { Repairs } from './drift.ts'
import { byName, compare, dependencyOrder } from './dependency-order.ts'
import { batchesOf, stepsOf } from './plan-steps.ts'
import type { HostMoves, Move, Removed, Rolling } from './plan-steps.ts'

/** `add`: not live yet. `change`: another artifact or configuration than what is live. `remove`: live, no longer wanted. */
export type Change = 'add' | 'change' | 'remove' | 'same'

/**
 * What a release will do, and nothing besides: carrying it out reads only this. A pure function of what is wanted
 * and what the hosts report; the same inputs give the same hash.
 */
export interface Plan {
  readonly fleet: string
  readonly environment: string
  readonly goal: 'deploy' | 'rollback' | 'heal'
  /** Hosts of the environment that stay as they are, by name; absent when there are none. */
  readonly leftOut?: readonly LeftOut[]
  /** Hosts that switch one batch after the other; absent when all switch together. */
  readonly batches?: readonly (readonly string[])[]
  /** What is put right on hosts besides services, by host; absent when nothing is. */
  readonly repairs?: readonly HostRepair[]
  /** Sorted by name; one entry for every service that is wanted or live. */
  readonly services: readonly ServicePlan[]
  /** In an order in which they could be carried out one by one; `after` says how much of it may be parallel. */
  readonly steps: readonly Step[]
  /**
   * sha256 over everything above, hex, with what artifacts are made from in the place of the artifacts: a plan that was
   * shown before they were built has the hash of the one that is carried out.
   */
  readonly hash: string
}

/** `without`: left out on purpose. `away`: it does not answer, so the release is refused. */
export interface LeftOut {
  readonly host: string
  readonly why: 'without' | 'away'
  /** What is known of it, in a few words. */
  readonly detail?: string
}

export interface HostRepair {
  readonly host: string
  readonly reasons: readonly string[]
}

export interface ServicePlan {
  readonly service: string
  readonly change: Change
  readonly reasons: readonly string[]
  /** Absent when the artifact has still to be built, or for a removed service. */
  readonly artifact?: string
  readonly config?: string
}

export type StepKind =
  | 'stage'
  | 'migrate'
  | 'start'
  | 'adopt'
  | 'prepared'
  | 'leave'
  | 'swap'
  | 'switch'
  | 'verify'
  | 'retire'

/**
 * `stage` lays files beside the live ones on a host. `start` starts a slot and waits for it; `adopt` only waits, the slot runs
 * already, and needs nobody to have started before. `prepared` is the barrier before anything live is touched: every new slot on every host is ready. `swap` stops one slot of a singleton and starts the other, at the switch; `leave` only stops it, before it starts on another host. `retire` stops, after
 * the warm time, the slots that were replaced on a host or, with a service, the slot of one that leaves it.
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
  /** What its artifact is made from: equal for equal artifacts, and known before they are built. */
  readonly source: string
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
  /** What of it is not as it was laid, where a release puts that right. */
  readonly repairs?: Repairs
}

export interface PlanInput {
  readonly fleet: string
  readonly environment: string
  readonly goal: Plan['goal']
  readonly wanted: readonly WantedService[]
  readonly hosts: readonly HostState[]
  readonly leftOut?: readonly LeftOut[]
  /** Absent: all hosts together. */
  readonly rolling?: Rolling
}

/** The plan that takes the hosts from what they report to what is wanted. Time and memory grow with services × hosts. */
export function makePlan(input: PlanInput): Plan {
  // Whatever order the inputs came in: the hash must depend on what they say alone.
  const wanted = input.wanted.map((service) => ({ ...service, needs: service.needs.toSorted(compare) })).sort(byName)
  const state = input.hosts.toSorted((a, b) => compare(a.host, b.host)).map(indexHost)
  const observations = new Map<string, Observation>()
  const byHost = state.map((host) => hostMoves(host, wanted, observations))
  const services = servicePlans(wanted, state, observations)
  const batches = batchesOf(byHost, input.rolling)
  const steps = stepsOf(dependencyOrder(wanted), batches)
  const repairs = byHost
    .filter((host) => host.repairs.length > 0)
    .map(({ host, repairs: reasons }): HostRepair => ({ host, reasons }))
  const leftOut = input.leftOut?.toSorted((a, b) => compare(a.host, b.host)) ?? []
  const body = {
    fleet: input.fleet,
    environment: input.environment,
    goal: input.goal,
    ...(leftOut.length === 0 ? {} : { leftOut }),
    ...(batches.length < 2 ? {} : { batches: batches.map((batch) => batch.map(({ host }) => host)) }),
    ...(repairs.length === 0 ? {} : { repairs }),
    services,
    steps,
  }
  return { ...body, hash: hashPlan(body, new Map(wanted.map(({ name, source }) => [name, source]))) }
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

/** What a host says of one service. */
interface Presence {
  live?: SlotName
  a?: SlotReport
  b?: SlotReport
}

interface IndexedHost {
  readonly host: string
  readonly services: ReadonlyMap<string, Presence>
  readonly repairs: Repairs
}

const NO_REPAIRS: Repairs = { services: new Map(), host: [] }

function indexHost({ host, live, slots, repairs = NO_REPAIRS }: HostState): IndexedHost {
  const services = new Map<string, Presence>()
  const presenceOf = (service: string): Presence => {
    const known = services.get(service)
    if (known !== undefined) return known
    const presence: Presence = {}
    services.set(service, presence)
    return presence
  }
  for (const [service, slot] of Object.entries(live)) presenceOf(service).live = slot
  for (const report of slots) presenceOf(report.service)[report.slot] = report
  return { host, services, repairs }
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
    const presence = host.services.get(service.name) ?? {}
    if (!service.hosts.has(host.host)) {
      if (presence.live !== undefined) leaves(observation, host.host)
      continue
    }
    here.add(service.name)
    const drifted = host.repairs.services.get(service.name) ?? []
    const move = moveOf(host.host, service, { presence, observation, drifted })
    if (move !== undefined) moves.set(service.name, move)
  }
  const removed: Removed[] = []
  for (const [service, { live }] of host.services) {
    if (live === undefined || here.has(service)) continue
    removed.push({ service, slot: live, leaves: wanted.some(({ name, swaps }) => swaps && name === service) })
  }
  const serves = host.services.values().some(({ live }) => live !== undefined)
  const repairs = host.repairs.host.toSorted(compare)
  return { host: host.host, serves, moves, repairs, removed: removed.sort((a, b) => compare(a.service, b.service)) }
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

interface Standing {
  readonly presence: Presence
  readonly observation: Observation
  /** What of it is not as it was laid. */
  readonly drifted: readonly string[]
}

function moveOf(host: string, service: WantedService, { presence, observation, drifted }: Standing): Move | undefined {
  const { live } = presence
  if (live !== undefined) observation.liveSomewhere = true
  const replaced = live === undefined ? 'not live yet' : whyReplace(service, presence[live])
  const reasons = [...(replaced === undefined ? [] : [replaced]), ...drifted.map((what) => `${what} on ${host}`)]
  if (reasons.length === 0) return undefined

  observation.differs = true
  for (const reason of reasons) observation.reasons.add(reason)
  const slot = live === undefined ? 'a' : otherSlot(live)
  const there = presence[slot]
  const runsAlready = there?.state === 'running' && isVersion(there, service)
  const kind = service.swaps ? 'swap' : runsAlready ? 'adopt' : 'start'
  return {
    key: `start:${host}:${service.name}`,
    service,
    kind,
    slot,
    retires: live !== undefined && !service.swaps,
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
  const removed = new Set(
    hosts.flatMap((host) =>
      [...host.services].flatMap(([service, { live }]) => (live === undefined || known.has(service) ? [] : [service])),
    ),
  )
  for (const service of removed) plans.push({ service, change: 'remove', reasons: ['no longer in the fleet'] })
  return plans.sort((a, b) => compare(a.service, b.service))
}

function hashPlan(plan: Omit<Plan, 'hash'>, sources: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256')
  const services = plan.services.map(({ service, change, reasons, config }) => [
    service,
    change,
    reasons,
    sources.get(service),
    config,
  ])
  hash.update(`${plan.fleet}\n${plan.environment}\n${plan.goal}\n${JSON.stringify(services)}\n`)
  if (plan.repairs !== undefined) hash.update(`${JSON.stringify(plan.repairs)}\n`)
  if (plan.leftOut !== undefined) hash.update(`${JSON.stringify(plan.leftOut.map(({ host, why }) => [host, why]))}\n`)
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

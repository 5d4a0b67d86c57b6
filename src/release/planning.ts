import type { DiskSpace } from '../hosts/disk.ts'
import { refusal } from '../problem/problem.ts'
import type { Artifact } from '../build/artifact.ts'
import type { LookedUp } from '../build/build-service.ts'
import { configureAll, wantedServices } from './wanted.ts'
import { changesNothing, countChanges, makePlan } from './plan.ts'
import type { HostState, LeftOut, Plan, PlanInput } from './plan.ts'
import { looksAt } from './early-looks.ts'
import type { Look } from './early-looks.ts'
import { observe } from './fleet-state.ts'
import type { AwayHost } from './fleet-state.ts'
import type { Blueprint, Order, ReleaseSet, SetMember } from './records.ts'
import { blueprintOf, concerns, emit, enter, sitesOf } from './scope.ts'
import type { Scope, Site } from './scope.ts'

export interface PlanningInput {
  /** Every service's artifact; for a rollback the members say it. */
  readonly artifacts: Readonly<Record<string, Artifact>>
  /** What each service's artifact is made from. */
  readonly sources: Readonly<Record<string, string>>
  readonly reasons: Readonly<Record<string, readonly string[]>>
  readonly members?: ReleaseSet
}

/** What the story needs to go on; the plan itself is in the record. */
export interface Planned {
  readonly nothing: boolean
  readonly batches: readonly Batch[]
}

/** Hosts that are prepared, switched and judged together. */
export interface Batch {
  /** Ends the names of the steps that it has once; empty when it is the only one. */
  readonly name: string
  readonly hosts: readonly string[]
  readonly migrations: readonly string[]
  readonly starts: readonly {
    readonly key: string
    readonly host: string
    readonly service: string
    readonly needs: readonly string[]
  }[]
}

/**
 * The plan step: what is wanted against what the hosts report now. Records the plan, the whole set, and what the
 * hosts said, which is where an undo goes back to.
 */
export async function planRelease(scope: Scope, input: PlanningInput): Promise<Planned> {
  const release = await enter(scope, 'plan')
  const { context } = scope
  const blueprint = blueprintOf(release)
  const live = await context.records.live(scope.ref)
  const configs = input.members === undefined ? await freshConfigs(scope, release) : memberConfigs(input.members)
  const all = sitesOf(context, release)
  const looks = await looksAt(scope, live, all)
  // The gate wants to know of the room on the disks.
  const [{ before, hosts, away }, disks] = await Promise.all([
    observe(all, (site) => looks.get(site)?.inspected),
    disksOf(looks),
  ])
  const artifacts = new Map(Object.entries(input.artifacts))
  const wanted = wantedServices({
    blueprint,
    order: release.order,
    versions: new Map(Object.entries(input.sources).map(([name, inputs]) => [name, versionOf(name, inputs)])),
    configs,
    reasons: input.reasons,
    live: live?.set,
  })
  const plan = makePlan({
    fleet: scope.ref.fleet,
    environment: scope.ref.environment,
    goal: release.goal,
    wanted,
    hosts,
    ...planHosts(release.order, blueprint, away),
  })
  refuseAnother(plan, release.expectedPlan)

  const set = Object.fromEntries(blueprint.services.map((definition) => [definition.name, memberOf(definition.name)]))
  await context.records.change(scope.ref, {
    plan,
    before: Object.fromEntries(Object.entries(before).map(([host, state]) => [host, { ...state, ...disks.get(host) }])),
    set,
    liveBefore: live?.number ?? 0,
  })
  await emit(scope, {
    kind: 'plan',
    hash: plan.hash,
    counts: countChanges(plan),
    services: plan.services.map(({ service, change, reasons }) => ({ service, change, reasons })),
  })
  for (const { host, reasons } of plan.repairs ?? []) {
    await emit(scope, { kind: 'note', text: `on ${host} is put right: ${reasons.join(', ')}` })
  }
  return { nothing: changesNothing(plan) && away.length === 0, batches: batchesOf(plan, hosts) }

  function versionOf(name: string, inputs: string): LookedUp {
    const artifact = artifacts.get(name)
    return { inputs, ...(artifact === undefined ? {} : { artifact }) }
  }

  function memberOf(name: string): SetMember {
    const known = input.members?.[name]
    if (known !== undefined) return known
    const artifact = artifacts.get(name)!
    const config = configs.get(name)!
    const now = live?.set?.[name]
    const same = now?.artifact.id === artifact.id && now.config === config
    const definition = blueprint.services.find((service) => service.name === name)!
    return { artifact, definition, config, release: same ? now.release : scope.ref.number }
  }
}

/** Where it cannot be measured now the gate tries once more, and says why not. */
async function disksOf(looks: ReadonlyMap<Site, Look>): Promise<Map<string, { readonly disk?: DiskSpace }>> {
  const found = [...looks].map(async ([{ host }, look]) => {
    const disk = await look.disk
    return [host.name, disk === undefined ? {} : { disk }] as const
  })
  return new Map(await Promise.all(found))
}

async function freshConfigs(scope: Scope, release: Parameters<typeof blueprintOf>[0]): Promise<Map<string, string>> {
  const configurations = await configureAll(scope.context, scope.ref, blueprintOf(release))
  return new Map([...configurations].map(([service, configuration]) => [service, configuration.id]))
}

function memberConfigs(members: ReleaseSet): Map<string, string> {
  return new Map(Object.entries(members).map(([service, member]) => [service, member.config]))
}

/** A plan that was shown and agreed to binds: a fleet that has moved since needs a new look. */
function refuseAnother(plan: Plan, expected: string | undefined): void {
  if (expected === undefined || plan.hash.startsWith(expected)) return
  throw refusal(
    'release/plan-changed',
    `${plan.fleet}/${plan.environment}`,
    `the plan is now ${plan.hash.slice(0, 12)}, not ${expected.slice(0, 12)}: the source or the hosts have changed since it was shown`,
    `Look at \`drover plan ${plan.environment}\` again.`,
  )
}

/** What a plan has to know of hosts: which stay as they are, and how the others take turns. */
export function planHosts(
  order: Order,
  { environment, hosts }: Blueprint,
  away: readonly AwayHost[],
): Pick<PlanInput, 'leftOut' | 'rolling'> {
  const without = hosts.filter(({ name }) => order.goal !== 'heal' && !concerns(order, name))
  const leftOut = [
    ...without.map(({ name }): LeftOut => ({ host: name, why: 'without' })),
    ...away.map(({ host, problems }): LeftOut => ({ host, why: 'away', detail: problems[0]?.what ?? '' })),
  ]
  const { strategy } = environment
  if (strategy === 'together') return { leftOut }
  return { leftOut, rolling: { batch: strategy.rolling.batch, order: environment.hosts } }
}

function batchesOf(plan: Plan, hosts: readonly HostState[]): Batch[] {
  const batches = plan.batches ?? [hosts.map(({ host }) => host)]
  return batches.map((names, index) => {
    const steps = plan.steps.filter((step) => step.host !== undefined && names.includes(step.host))
    const starts = steps.filter((step) => step.kind === 'start' || step.kind === 'adopt')
    const keys = new Set(starts.map((step) => step.key))
    return {
      name: batches.length === 1 ? '' : `:${index + 1}`,
      hosts: names,
      migrations: steps.filter((step) => step.kind === 'migrate').map((step) => step.service!),
      starts: starts.map((step) => ({
        key: step.key,
        host: step.host!,
        service: step.service!,
        needs: step.after.filter((key) => keys.has(key)),
      })),
    }
  })
}

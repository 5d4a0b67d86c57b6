import type { EnvironmentStatus } from './control-plane.ts'
import { countChanges } from './plan.ts'
import type { Change, Plan, Step } from './plan.ts'
import type { Release } from './records.ts'

/** What is told of a plan. Its steps only when asked for: a large fleet has hundreds of thousands. */
export interface PlanDocument extends Omit<Plan, 'steps'> {
  readonly counts: Readonly<Record<Change, number>>
  readonly stepCount: number
  readonly steps?: readonly Step[]
}

/** What is told of a release: all but how its services are run and where their files lie. */
export interface ReleaseDocument extends Omit<Release, 'plan' | 'set'> {
  readonly plan?: PlanDocument
  readonly set?: Readonly<Record<string, SetMemberDocument>>
}

export interface SetMemberDocument {
  readonly artifact: string
  readonly config: string
  /** The release that built or configured this version. */
  readonly release: number
}

/** Its releases are without plan and set. */
export interface StatusDocument extends Omit<EnvironmentStatus, 'live' | 'active'> {
  readonly live?: ReleaseDocument
  readonly active?: ReleaseDocument
}

export function planDocument(plan: Plan, { steps }: { readonly steps: boolean }): PlanDocument {
  const { steps: all, ...rest } = plan
  return { ...rest, counts: countChanges(plan), stepCount: all.length, ...(steps ? { steps: all } : {}) }
}

/** By name, so that what else a record carries stays inside. */
const TOLD = [
  ...([
    'fleet',
    'environment',
    'number',
    'goal',
    'phase',
    'outcome',
    'live',
    'actor',
    'reason',
    'repository',
    'branch',
    'commit',
  ] as const),
  ...([
    'subject',
    'to',
    'without',
    'host',
    'requestedAt',
    'startedAt',
    'switchedAt',
    'endedAt',
    'problems',
    'traffic',
    'deviations',
  ] as const),
]

/** A release in a list: without plan and set. */
export function releaseLine(release: Release): ReleaseDocument {
  const fields = TOLD.filter((field) => release[field] !== undefined).map((field) => [field, release[field]])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fields picked by name from a release are fields of a release
  return Object.fromEntries(fields) as Pick<Release, (typeof TOLD)[number]>
}

export function releaseDocument(release: Release, options: { readonly steps: boolean }): ReleaseDocument {
  const { plan, set } = release
  return {
    ...releaseLine(release),
    ...(plan === undefined ? {} : { plan: planDocument(plan, options) }),
    ...(set === undefined ? {} : { set: setDocument(set) }),
  }
}

export function statusDocument(status: EnvironmentStatus): StatusDocument {
  const { live, active, ...rest } = status
  return {
    ...rest,
    ...(live === undefined ? {} : { live: releaseLine(live) }),
    ...(active === undefined ? {} : { active: releaseLine(active) }),
  }
}

function setDocument(set: NonNullable<Release['set']>): Record<string, SetMemberDocument> {
  return Object.fromEntries(
    Object.entries(set).map(([service, { artifact, config, release }]) => [
      service,
      { artifact: artifact.id, config, release },
    ]),
  )
}

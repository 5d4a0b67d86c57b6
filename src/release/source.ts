import type { Artifact } from '../build/artifact.ts'
import { fetchFor } from './ahead.ts'
import type { Service } from '../manifest/fleet.ts'
import type { LookedUp } from '../build/build-service.ts'
import { lookUpAll } from './build.ts'
import { beginLooks } from './early-looks.ts'
import type { Context } from './context.ts'
import type { EnvironmentRef, Order } from './records.ts'
import { survey } from './survey.ts'
import type { Survey } from './survey.ts'
import type { PlanningInput } from './planning.ts'
import { enter } from './scope.ts'
import type { Scope } from './scope.ts'

/** What is to be built, and what the plan step will need besides. */
export interface Sourced {
  readonly commit?: string
  readonly build: readonly string[]
  /** Those that exist already: built by an earlier release, or known from the one that is gone back to. */
  readonly artifacts: Readonly<Record<string, Artifact>>
  readonly planning: Omit<PlanningInput, 'artifacts'>
}

/** The source step: which commit of which branch, what it says of the fleet, and why each service differs. */
export async function source(scope: Scope, order: Order): Promise<Sourced> {
  await enter(scope, 'source')
  beginLooks(scope.context, scope.ref, order)
  const found = await survey(scope.context, scope.ref, order, (repository) =>
    fetchFor(scope.context, scope.ref, repository),
  )
  await scope.context.records.change(scope.ref, {
    blueprint: found.blueprint,
    deviations: found.deviations,
    ...(found.to === undefined ? {} : { to: found.to }),
    ...(found.branch === undefined ? {} : { branch: found.branch }),
    ...(found.commit === undefined ? {} : { commit: found.commit.id, subject: found.commit.subject }),
  })
  const versions = await versionsOf(scope.context, scope.ref, order, found)
  const artifacts: Record<string, Artifact> = {}
  const sources: Record<string, string> = {}
  for (const [service, { artifact, inputs }] of versions) {
    sources[service] = inputs
    if (artifact !== undefined) artifacts[service] = artifact
  }
  return {
    ...(found.commit === undefined ? {} : { commit: found.commit.id }),
    artifacts,
    build: buildOrder(
      scope.context,
      found.blueprint.services.filter(({ name }) => artifacts[name] === undefined),
    ),
    planning: { reasons: found.reasons, sources, ...(found.members === undefined ? {} : { members: found.members }) },
  }
}

/** The long builds first, lest the last of them go on alone while the other processors wait. */
function buildOrder(context: Context, services: readonly Service[]): string[] {
  const compiles = ({ language }: Service): number => Number(context.builder(language).compiles)
  return services.toSorted((one, other) => compiles(other) - compiles(one)).map(({ name }) => name)
}

/** What each service is made from: the inputs of its build, or for a rollback the artifact itself, which is known. */
export async function versionsOf(
  context: Context,
  { fleet }: EnvironmentRef,
  order: Order,
  { members, commit, blueprint }: Survey,
): Promise<ReadonlyMap<string, LookedUp>> {
  if (members !== undefined || order.goal !== 'deploy' || commit === undefined) {
    const entries = Object.entries(members ?? {})
    return new Map(entries.map(([service, { artifact }]) => [service, { inputs: artifact.id, artifact }]))
  }
  return lookUpAll(context, await context.repository(fleet, order.repository), blueprint, commit.id)
}

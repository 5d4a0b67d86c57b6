import type { Artifact } from '../build/artifact.ts'
import { fetchFor } from './ahead.ts'
import { findBuilt } from './build.ts'
import type { Order } from './records.ts'
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
  const artifacts = await knownArtifacts(scope, found, order)
  const missing = found.blueprint.services.map((service) => service.name).filter((service) => !artifacts.has(service))
  return {
    ...(found.commit === undefined ? {} : { commit: found.commit.id }),
    artifacts: Object.fromEntries(artifacts),
    build: missing,
    planning: { reasons: found.reasons, ...(found.members === undefined ? {} : { members: found.members }) },
  }
}

async function knownArtifacts(scope: Scope, found: Survey, order: Order): Promise<ReadonlyMap<string, Artifact>> {
  if (found.members !== undefined || order.goal !== 'deploy' || found.commit === undefined) {
    return new Map(Object.entries(found.members ?? {}).map(([service, member]) => [service, member.artifact]))
  }
  const repository = await scope.context.repository(scope.ref.fleet, order.repository)
  return findBuilt(scope.context, repository, found.blueprint, found.commit.id)
}

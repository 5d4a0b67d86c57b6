import type { Order } from './records.ts'
import { survey } from './survey.ts'
import type { PlanningInput } from './planning.ts'
import { enter } from './scope.ts'
import type { Scope } from './scope.ts'

/** What is to be built, and what the plan step will need besides. */
export interface Sourced {
  readonly commit?: string
  readonly build: readonly string[]
  readonly planning: Omit<PlanningInput, 'artifacts'>
}

/** The source step: which commit of which branch, what it says of the fleet, and why each service differs. */
export async function source(scope: Scope, order: Order): Promise<Sourced> {
  await enter(scope, 'source')
  const found = await survey(scope.context, scope.ref, order)
  await scope.context.records.change(scope.ref, {
    blueprint: found.blueprint,
    deviations: found.deviations,
    ...(found.branch === undefined ? {} : { branch: found.branch }),
    ...(found.commit === undefined ? {} : { commit: found.commit.id, subject: found.commit.subject }),
  })
  const services = found.members === undefined ? found.blueprint.services.map((service) => service.name) : []
  return {
    ...(found.commit === undefined ? {} : { commit: found.commit.id }),
    build: services,
    planning: { reasons: found.reasons, ...(found.members === undefined ? {} : { members: found.members }) },
  }
}

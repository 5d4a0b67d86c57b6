import { findBuilt } from './build.ts'
import type { Context } from './context.ts'
import { observe } from './fleet-state.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import type { EnvironmentRef, Order } from './records.ts'
import { sites } from './scope.ts'
import { survey } from './survey.ts'
import { configureAll, wantedServices } from './wanted.ts'

/** The plan of an order without any side effect: what is not built yet is shown as to be built. */
export async function preview(context: Context, environment: EnvironmentRef, order: Order): Promise<Plan> {
  const found = await survey(context, environment, order)
  const { blueprint } = found
  const live = await context.records.live(environment)
  const configs =
    found.members === undefined
      ? new Map(
          [...(await configureAll(context, environment, blueprint))].map(([service, configuration]) => [
            service,
            configuration.id,
          ]),
        )
      : new Map(Object.entries(found.members).map(([service, member]) => [service, member.config]))
  const artifacts =
    found.members === undefined
      ? await findBuilt(
          context,
          await context.repository(environment.fleet, repositoryUrl(order)),
          blueprint,
          found.commit!.id,
        )
      : new Map(Object.entries(found.members).map(([service, member]) => [service, member.artifact]))
  const { hosts } = await observe(sites(context, environment.fleet, blueprint.environment))
  const wanted = wantedServices({
    blueprint,
    goal: order.goal,
    artifacts,
    configs,
    reasons: found.reasons,
    live: live?.set,
  })
  return makePlan({ ...environment, goal: order.goal, wanted, hosts })
}

function repositoryUrl(order: Order): string {
  if (order.goal !== 'deploy') throw new Error('only a deploy is built')
  return order.repository
}

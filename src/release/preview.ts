import type { Context } from './context.ts'
import { observe } from './fleet-state.ts'
import { inspectorOf } from './inspect-site.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import type { EnvironmentRef, Order } from './records.ts'
import { planHosts } from './planning.ts'
import { concerns, sites } from './scope.ts'
import { versionsOf } from './source.ts'
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
  const versions = await versionsOf(context, environment, order, found)
  const { hosts, away } = await observe(
    sites(context, environment.fleet, blueprint).filter(({ host }) => concerns(order, host.name)),
    await inspectorOf(context, live),
  )
  const wanted = wantedServices({
    blueprint,
    order,
    versions,
    configs,
    reasons: found.reasons,
    live: live?.set,
  })
  return makePlan({ ...environment, goal: order.goal, wanted, hosts, ...planHosts(order, blueprint, away) })
}

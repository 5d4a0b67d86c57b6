import { refusal } from '../problem/problem.ts'
import type { Context } from './context.ts'
import type { EnvironmentRef } from './records.ts'
import { blueprintOf, sites } from './scope.ts'

/** Stops every slot and the router of an environment. Artifacts and records stay, so that the next release starts it all again. */
export async function teardown(context: Context, environment: EnvironmentRef, actor: string): Promise<void> {
  const [active] = await context.records.open(environment)
  if (active !== undefined) {
    throw refusal(
      'release/under-way',
      `${environment.fleet}/${environment.environment}`,
      `release ${active.number} by ${active.actor} is under way`,
      `\`drover cancel ${environment.environment}\` stops it first.`,
    )
  }
  const [last] = await context.records.list(environment, { limit: 1 })
  if (last === undefined) return
  const release = await lastWithBlueprint(context, environment, last.number)
  if (release === undefined) return
  const number = await context.permits.take(environment, `teardown by ${actor}`)
  for (const site of sites(context, environment.fleet, blueprintOf(release).environment)) {
    await site.router.teardown(site.host, { root: site.root, number })
    await site.runtime.teardown(site.host, { root: site.root, number })
  }
  await context.records.setLive(environment, undefined)
}

async function lastWithBlueprint(
  context: Context,
  environment: EnvironmentRef,
  from: number,
): ReturnType<typeof context.records.live> {
  for (let number = from; number > 0; number--) {
    const release = await context.records.find({ ...environment, number })
    if (release.blueprint !== undefined) return release
  }
  return undefined
}

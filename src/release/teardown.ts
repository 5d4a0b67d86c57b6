import { Refusal, refusal } from '../problem/problem.ts'
import type { Context } from './context.ts'
import { everywhere } from './everywhere.ts'
import type { StoredRelease } from './record-store.ts'
import type { EnvironmentRef } from './records.ts'
import { blueprintOf, sites } from './scope.ts'

const TRIES = 3

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
  for (let tries = 1; ; tries++) {
    try {
      return await stopAll(context, release, `teardown by ${actor}`)
    } catch (error) {
      if (tries === TRIES || !isOvertaken(error)) throw error
    }
  }
}

async function stopAll(context: Context, release: StoredRelease, holder: string): Promise<void> {
  const number = await context.permits.take(release, holder)
  await everywhere(sites(context, release.fleet, blueprintOf(release)), async (site) => {
    await site.router.teardown(site.host, { root: site.root, number })
    await site.runtime.teardown(site.host, { root: site.root, number })
  })
  await context.records.setLive(release, undefined)
  // Who has taken the permit until now may have started the router again; who takes it later finds nothing live.
  await context.permits.current(release, holder)
}

/** By the sweep of a release, which is no release under way and may be due at any moment. */
function isOvertaken(error: unknown): boolean {
  const codes = error instanceof Refusal ? error.problems.map(({ code }) => code) : []
  return codes.includes('hosts/fenced') || codes.includes('release/permit-lost')
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

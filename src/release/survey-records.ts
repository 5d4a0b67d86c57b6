import { problem, Refusal, refusal } from '../problem/problem.ts'
import type { PlacedService } from '../manifest/fleet.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { Blueprint, EnvironmentRef, Order, ReleaseSet, SetMember } from './records.ts'
import type { Survey } from './survey.ts'

/** What a rollback comes to: the set of an earlier release, or of the live one with one service of an earlier one. */
export async function surveyRollback(
  context: Context,
  environment: EnvironmentRef,
  order: Order & { goal: 'rollback' },
): Promise<Survey> {
  const live = await liveOf(context, environment, 'nothing is live, so there is nothing to go back from')
  const goal =
    order.to === undefined
      ? await earlier(context, environment, live, order.service)
      : await context.records.find({ ...environment, number: order.to })
  if (goal.set === undefined || goal.blueprint === undefined || goal.outcome !== 'kept') {
    throw refusal(
      'release/never-kept',
      `release ${goal.number}`,
      `ended ${goal.outcome ?? 'not yet'}; only a kept release can be gone back to`,
      `\`drover releases ${environment.environment}\` marks the kept ones.`,
    )
  }
  const reasons = Object.fromEntries(
    Object.keys(goal.set).map((service) => [service, [`back to release ${goal.number}`]]),
  )
  if (order.service === undefined) {
    return {
      ...source(goal),
      blueprint: onTodaysHosts(goal.blueprint, live.blueprint),
      reasons,
      members: placedToday(goal.set, live.blueprint),
      to: goal.number,
      deviations: goal.deviations,
    }
  }
  const found = goal.set[order.service]
  if (found === undefined) {
    throw new Refusal([
      problem(
        'release/unknown-service',
        `release ${goal.number}`,
        `has no service ${order.service}`,
        `It has ${Object.keys(goal.set).join(', ')}.`,
      ),
    ])
  }
  const member = placedAsNow(live.blueprint, found)
  const others = live.deviations.filter((deviation) => deviation.service !== order.service)
  const own = live.commit === goal.commit ? [] : [{ service: order.service, release: member.release }]
  return {
    ...source(live),
    blueprint: withService(live.blueprint, member.definition),
    reasons: { [order.service]: [`back to release ${goal.number}`] },
    members: { ...live.set, [order.service]: member },
    deviations: [...others, ...own],
  }
}

/** What healing a host comes to: the live set, as it is. */
export async function surveyHeal(context: Context, environment: EnvironmentRef): Promise<Survey> {
  const live = await liveOf(
    context,
    environment,
    'nothing is live, so there is nothing that a host could be brought to',
  )
  const { blueprint, set, deviations } = live
  return { ...source(live), blueprint, reasons: {}, members: set, deviations }
}

type Live = StoredRelease & Required<Pick<StoredRelease, 'set' | 'blueprint'>>

async function liveOf(context: Context, environment: EnvironmentRef, otherwise: string): Promise<Live> {
  const live = await context.records.live(environment)
  if (live?.set !== undefined && live.blueprint !== undefined) {
    return { ...live, set: live.set, blueprint: live.blueprint }
  }
  throw refusal('release/nothing-live', `${environment.fleet}/${environment.environment}`, otherwise)
}

/** The last kept release before the live one; for one service, the last in which that service was another version. */
async function earlier(
  context: Context,
  environment: EnvironmentRef,
  live: StoredRelease,
  service: string | undefined,
): Promise<StoredRelease> {
  // What a rollback went back from is not what was before it: the search begins where the version that is live came from.
  let before = (service === undefined ? live.to : live.set?.[service]?.release) ?? live.number
  for (;;) {
    const candidate = await context.records.previous(environment, before)
    if (candidate === undefined) {
      throw refusal(
        'release/nothing-before',
        `${environment.fleet}/${environment.environment}`,
        `no kept release before ${live.number}${service === undefined ? '' : ` has another version of ${service}`}`,
      )
    }
    if (differs(candidate, live, service)) return candidate
    before = candidate.number
  }
}

/** A rollback that was itself rolled back to, or an unchanged set, is no place to go: the versions must differ. */
function differs(candidate: StoredRelease, live: StoredRelease, service: string | undefined): boolean {
  const services =
    service === undefined ? new Set([...Object.keys(candidate.set ?? {}), ...Object.keys(live.set ?? {})]) : [service]
  return [...services].some((name) => {
    const [there, here] = [candidate.set?.[name], live.set?.[name]]
    return there?.artifact.id !== here?.artifact.id || there?.config !== here?.config
  })
}

function source(release: StoredRelease): Pick<Survey, 'commit' | 'branch'> {
  const { branch, commit, subject = '' } = release
  return {
    ...(commit === undefined ? {} : { commit: { id: commit, subject, author: '', date: 0 } }),
    ...(branch === undefined ? {} : { branch }),
  }
}

/**
 * Hosts that have gone cannot be gone back to, and new ones are part of the environment all the same. What runs on them
 * is found by the runtime and the router of today.
 */
function onTodaysHosts(goal: Blueprint, live: Blueprint): Blueprint {
  const { hosts, runtime, router } = live.environment
  return {
    ...goal,
    environment: { ...goal.environment, hosts, runtime, router },
    hosts: live.hosts,
    services: goal.services.map((service) => onHostsThatAre(service, live)),
  }
}

function placedToday(set: ReleaseSet, live: Blueprint): ReleaseSet {
  return Object.fromEntries(
    Object.entries(set).map(([name, member]) => [
      name,
      { ...member, definition: onHostsThatAre(member.definition, live) },
    ]),
  )
}

function onHostsThatAre(service: PlacedService, { hosts, services }: Blueprint): PlacedService {
  const there = service.hosts.filter((host) => hosts.some(({ name }) => name === host))
  const now = services.find(({ name }) => name === service.name)?.hosts ?? hosts.slice(0, 1).map(({ name }) => name)
  return { ...service, hosts: there.length > 0 ? there : now }
}

/** Where it runs is a matter of the hosts that there are today. */
function placedAsNow({ services }: Blueprint, member: SetMember): SetMember {
  const now = services.find(({ name }) => name === member.definition.name)
  return now === undefined ? member : { ...member, definition: { ...member.definition, hosts: now.hosts } }
}

function withService(blueprint: Blueprint, definition: PlacedService): Blueprint {
  return {
    ...blueprint,
    services: blueprint.services.map((service) => (service.name === definition.name ? definition : service)),
  }
}

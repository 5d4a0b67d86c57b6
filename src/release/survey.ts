import { problem, Refusal, refusal } from '../problem/problem.ts'
import { loadManifest } from '../manifest/load.ts'
import { forEnvironment } from '../manifest/environment.ts'
import type { Environment, Fleet, HostDefinition, PlacedService } from '../manifest/fleet.ts'
import { changedServices } from '../source/changes.ts'
import type { Commit, Repository } from '../source/repository.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { Blueprint, EnvironmentRef, Order, ReleaseSet, SetMember } from './records.ts'

/** What an order comes to, before anything is built: from the repository for a deploy, from the records for a rollback. */
export interface Survey {
  readonly commit?: Commit
  readonly branch?: string
  readonly blueprint: Blueprint
  /** Why each service differs from what is live, as far as the source knows. */
  readonly reasons: Readonly<Record<string, readonly string[]>>
  /** Set for a rollback: every version is known already. */
  readonly members?: ReleaseSet
  /** Set for a rollback of the whole set: the release that it goes back to. */
  readonly to?: number
  readonly deviations: StoredRelease['deviations']
}

const MANIFEST = 'drover.yaml'

/** `fetch` brings the mirror up to date, where the caller knows better when that is needed. */
export async function survey(
  context: Context,
  environment: EnvironmentRef,
  order: Order,
  fetch = (repository: Repository): Promise<void> => repository.fetch(),
): Promise<Survey> {
  return order.goal === 'deploy'
    ? surveySource(context, environment, { ...order, fetch })
    : surveyRecords(context, environment, order)
}

async function surveySource(
  context: Context,
  environment: EnvironmentRef,
  order: Order & { goal: 'deploy' } & { readonly fetch: (repository: Repository) => Promise<void> },
): Promise<Survey> {
  const repository = await context.repository(environment.fleet, order.repository)
  await order.fetch(repository)
  const ref = order.ref ?? (await branchOf(repository, environment))
  const commit = await repository.resolve(ref)
  const fleet = await manifestAt(repository, commit.id)
  if (fleet.name !== environment.fleet) {
    throw refusal(
      'release/other-fleet',
      { file: MANIFEST, at: 'fleet' },
      `commit ${commit.id.slice(0, 8)} describes the fleet ${fleet.name}, not ${environment.fleet}`,
    )
  }
  const live = await context.records.live(environment)
  const blueprint = blueprintOf(fleet, environment.environment, (made, host) => {
    // Processes that share a database may have other homes: where the environment lies was decided by its first release.
    const before = live?.blueprint?.hosts.find(({ name }) => name === host.name)
    return made.root ?? before?.root ?? context.root(environment.fleet, made, host)
  })
  const reasons = await sourceReasons(repository, blueprint, live?.commit, commit.id)
  return { commit, branch: commit.branch ?? ref, blueprint, reasons, deviations: [] }
}

/** Without a ref the environment's own branch counts, as the newest manifest of the repository names it. */
async function branchOf(repository: Repository, environment: EnvironmentRef): Promise<string> {
  const head = await repository.resolve('HEAD')
  return forEnvironment(await manifestAt(repository, head.id), environment.environment).environment.branch
}

const REMEMBERED_MANIFESTS = 4
const manifests = new WeakMap<Repository, Map<string, Promise<Fleet>>>()

/** What a commit says of its fleet never changes; the default branch is asked in every release. */
function manifestAt(repository: Repository, commit: string): Promise<Fleet> {
  const known = manifests.get(repository) ?? new Map<string, Promise<Fleet>>()
  manifests.set(repository, known)
  const found = known.get(commit)
  if (found !== undefined) return found
  const reading = readManifest(repository, commit)
  known.set(commit, reading)
  reading.catch(() => known.delete(commit))
  if (known.size > REMEMBERED_MANIFESTS) known.delete(known.keys().next().value!)
  return reading
}

async function readManifest(repository: Repository, commit: string): Promise<Fleet> {
  const files = repository.at(commit)
  // The listing, which the checks will ask for, is made meanwhile.
  const [text] = await Promise.all([repository.read(commit, MANIFEST), files.list('')])
  if (text === undefined) {
    throw refusal(
      'release/no-manifest',
      { file: MANIFEST },
      `commit ${commit.slice(0, 8)} has no ${MANIFEST}`,
      'Commit one; `drover init` writes a draft.',
    )
  }
  const { fleet, problems } = await loadManifest(text, { file: MANIFEST, repository: files })
  if (fleet === undefined) throw new Refusal(problems)
  return fleet
}

function blueprintOf(
  fleet: Fleet,
  name: string,
  rootOn: (environment: Environment, host: HostDefinition) => string,
): Blueprint {
  const { environment, hosts, services } = forEnvironment(fleet, name)
  return {
    environment,
    hosts: hosts.map((host) => ({ ...host, root: rootOn(environment, host) })),
    services,
    stores: fleet.stores,
    shared: fleet.shared,
  }
}

async function sourceReasons(
  repository: Repository,
  blueprint: Blueprint,
  before: string | undefined,
  after: string,
): Promise<Record<string, readonly string[]>> {
  const changes = await changedServices({
    services: blueprint.services,
    fleetShared: blueprint.shared,
    before,
    after,
    repository,
  })
  return Object.fromEntries(changes.map((change) => [change.service, change.reasons]))
}

async function surveyRecords(
  context: Context,
  environment: EnvironmentRef,
  order: Order & { goal: 'rollback' },
): Promise<Survey> {
  const live = await context.records.live(environment)
  if (live?.set === undefined || live.blueprint === undefined) {
    throw refusal(
      'release/nothing-live',
      `${environment.fleet}/${environment.environment}`,
      'nothing is live, so there is nothing to go back from',
    )
  }
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
  const commit =
    goal.commit === undefined ? {} : { commit: { id: goal.commit, subject: goal.subject ?? '', author: '', date: 0 } }
  const reasons = Object.fromEntries(
    Object.keys(goal.set).map((service) => [service, [`back to release ${goal.number}`]]),
  )
  if (order.service === undefined) {
    return {
      ...commit,
      ...branch(goal),
      blueprint: goal.blueprint,
      reasons,
      members: goal.set,
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
    ...(live.commit === undefined
      ? {}
      : { commit: { id: live.commit, subject: live.subject ?? '', author: '', date: 0 } }),
    ...branch(live),
    blueprint: withService(live.blueprint, member.definition),
    reasons: { [order.service]: [`back to release ${goal.number}`] },
    members: { ...live.set, [order.service]: member },
    deviations: [...others, ...own],
  }
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

function branch(release: StoredRelease): { branch?: string } {
  return release.branch === undefined ? {} : { branch: release.branch }
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

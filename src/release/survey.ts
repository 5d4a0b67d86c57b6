import { nearMiss } from '../problem/near-miss.ts'
import { problem, Refusal, refusal } from '../problem/problem.ts'
import { loadManifest } from '../manifest/load.ts'
import { forEnvironment } from '../manifest/environment.ts'
import type { Environment, Fleet, HostDefinition } from '../manifest/fleet.ts'
import { changedServices } from '../source/changes.ts'
import type { Commit, Repository } from '../source/repository.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { Blueprint, EnvironmentRef, Order, ReleaseSet } from './records.ts'
import { concerns } from './scope.ts'
import { surveyHeal, surveyRollback } from './survey-records.ts'

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
  const found = await lookUp(context, environment, order, fetch)
  refuseUnknownHosts(order, found.blueprint)
  return found
}

function lookUp(
  context: Context,
  environment: EnvironmentRef,
  order: Order,
  fetch: (repository: Repository) => Promise<void>,
): Promise<Survey> {
  if (order.goal === 'deploy') return surveySource(context, environment, { ...order, fetch })
  return order.goal === 'rollback' ? surveyRollback(context, environment, order) : surveyHeal(context, environment)
}

/** Names of hosts that the environment does not have, and an order that leaves nothing to be done anywhere. */
function refuseUnknownHosts(order: Order, { environment, hosts }: Blueprint): void {
  const known = hosts.map(({ name }) => name)
  const named = order.goal === 'heal' ? [order.host] : (order.without ?? [])
  const problems = named
    .filter((name) => !known.includes(name))
    .map((name) => {
      const meant = nearMiss(name, known)
      const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}The hosts are ${known.join(', ')}.`
      return problem('release/unknown-host', `host ${name}`, `is not a host of ${environment.name}`, hint)
    })
  if (problems.length > 0) throw new Refusal(problems)
  if (known.some((name) => concerns(order, name))) return
  throw refusal('release/no-host-left', environment.name, 'every host is left out, so nothing can be released')
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

/** Reads the manifests that {@link survey} is going to ask for; they are remembered for a while. */
export async function readAhead(
  repository: Repository,
  environment: EnvironmentRef,
  order: Order & { goal: 'deploy' },
): Promise<void> {
  const ref = order.ref ?? (await branchOf(repository, environment))
  await manifestAt(repository, (await repository.resolve(ref)).id)
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

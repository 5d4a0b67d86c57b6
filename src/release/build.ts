import type { Artifact } from '../build/artifact.ts'
import { buildService, lookUp } from '../build/build-service.ts'
import type { BuildOrder, BuildQuestion, LookedUp } from '../build/build-service.ts'
import type { Service } from '../manifest/fleet.ts'
import type { Repository } from '../source/repository.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { Blueprint, SetMember } from './records.ts'
import { blueprintOf, emit, enter } from './scope.ts'
import type { Scope } from './scope.ts'
import { tellingFailure } from './service-failure.ts'

/** A running build shows at most this many of its lines: a compiler's hundred thousand warnings are no news. */
const SHOWN_LINES = 500

/** What the journal keeps of a build. */
export interface Built {
  readonly artifact: Artifact
}

/** What each service would be built from in this commit, with the artifact where that has been built; changes nothing. */
export async function lookUpAll(
  context: Context,
  repository: Repository,
  blueprint: Blueprint,
  commit: string,
): Promise<Map<string, LookedUp>> {
  const paths = [...new Set(blueprint.services.flatMap((service) => pathsOf(service, blueprint)))]
  const trees = await repository.trees(commit, paths)
  const found = await Promise.all(
    blueprint.services.map(
      async (service) => [service.name, await lookUp(question(context, service, blueprint, trees))] as const,
    ),
  )
  return new Map(found)
}

/** Builds one service of a commit, or finds that another release or process has built it meanwhile. */
export async function build(
  scope: Scope,
  { service: name, commit }: { readonly service: string; readonly commit: string },
): Promise<Built> {
  const release = await enter(scope, 'build')
  const order = await orderFor(scope, release, { name, commit })
  await emit(scope, { kind: 'service', service: name, state: 'building' })
  const { artifact, how, durationMs } = await tellingFailure(scope, { service: name }, () => buildService(order))
  await emit(scope, { kind: 'service', service: name, state: how, ms: Math.round(durationMs) })
  return { artifact }
}

/**
 * Builds a member of a set again where this Drover's store lacks it: another one built it, and died or went away before every
 * host had it. The artifact is in the store afterwards, unless the same commit gives something else by now.
 */
export async function haveInStore(scope: Scope, { artifact, release: number }: SetMember): Promise<void> {
  const { service: name, id } = artifact
  if ((await scope.context.store.get(name, id)) !== undefined) return
  const maker = await scope.context.records.find({ ...scope.ref, number })
  if (maker.commit === undefined) return
  const order = await orderFor(scope, maker, { name, commit: maker.commit })
  const { how } = await tellingFailure(scope, { service: name }, () => buildService(order))
  // Told once, though every host that lacks it asks for it.
  const text = `${name} was built again: what another Drover has built is not in the store of this one`
  if (how === 'built') await emit(scope, { kind: 'note', text })
}

async function orderFor(
  scope: Scope,
  release: StoredRelease,
  { name, commit }: { readonly name: string; readonly commit: string },
): Promise<BuildOrder> {
  const blueprint = blueprintOf(release)
  const service = blueprint.services.find((candidate) => candidate.name === name)!
  const repository = await repositoryOf(scope, release)
  const trees = await repository.trees(commit, pathsOf(service, blueprint))
  let lines = 0
  return {
    ...question(scope.context, service, blueprint, trees),
    checkout: (folder, options) => repository.checkout(commit, folder, options),
    signal: scope.signal,
    onLine: (line) => {
      // Output is for those who watch; a line that cannot be recorded must not fail the build.
      if (lines++ < SHOWN_LINES) emit(scope, { kind: 'output', service: name, line }).catch(() => undefined)
    },
  }
}

function repositoryOf(scope: Scope, release: StoredRelease): Promise<Repository> {
  return scope.context.repository(scope.ref.fleet, release.repository)
}

function question(
  context: Context,
  service: Service,
  blueprint: Blueprint,
  trees: ReadonlyMap<string, string | undefined>,
): BuildQuestion {
  const own = new Map(pathsOf(service, blueprint).map((path) => [path, trees.get(path)]))
  return {
    service,
    trees: own,
    builder: context.builder(service.language),
    store: context.store,
    host: context.buildHost,
  }
}

function pathsOf(service: Service, blueprint: Blueprint): string[] {
  return [...new Set([service.path, ...service.shared, ...blueprint.shared])]
}

import type { Repository } from './repository.ts'
import { repositoryPath } from './tree.ts'

const SAMPLES = 5

/** The part of a service that says which files are its own. */
export interface ServiceFiles {
  readonly name: string
  readonly path: string
  readonly shared: readonly string[]
}

/** What two commits mean for one service. */
export interface Change {
  readonly service: string
  readonly status: 'added' | 'changed' | 'removed' | 'same'
  /** `services/backend: 3 files`, `shared packages/common: 1 file`; empty when nothing changed. */
  readonly reasons: readonly string[]
  /** Some of the files that differ, sorted. */
  readonly sampleFiles: readonly string[]
}

export interface ChangesOptions {
  readonly services: readonly ServiceFiles[]
  /** Paths that concern every service. */
  readonly fleetShared: readonly string[]
  /** The commit that is live; undefined: nothing is. */
  readonly before: string | undefined
  readonly after: string
  readonly repository: Pick<Repository, 'trees' | 'changedFiles' | 'has'>
}

/**
 * Which services differ between two commits and why, in the order given. Tree ids are compared first, in one call of
 * git for each commit whatever the number of services; files are listed only when something differs.
 */
export async function changedServices(options: ChangesOptions): Promise<Change[]> {
  const { services, before, after, repository } = options
  const paths = [...new Set(services.flatMap((service) => pathsOf(service, options.fleetShared)))]
  const [now, isKnown] = await Promise.all([
    repository.trees(after, paths),
    before === undefined ? false : repository.has(before),
  ])
  if (before === undefined) {
    return services.map((service) => whole(service, now, 'added', 'nothing was released before'))
  }
  if (!isKnown) {
    const why = `commit ${before.slice(0, 10)}, which is live, is no longer in the repository`
    return services.map((service) => whole(service, now, 'changed', why))
  }
  const old = await repository.trees(before, paths)
  const different = paths.filter((path) => old.get(path) !== now.get(path))
  const files =
    different.length === 0
      ? new Map<string, string[]>()
      : byPath(different, await repository.changedFiles(before, after))
  return services.map((service) => compare(service, { old, now, files, fleetShared: options.fleetShared }))
}

interface Comparison {
  readonly old: ReadonlyMap<string, string | undefined>
  readonly now: ReadonlyMap<string, string | undefined>
  /** The files that differ, by the path that they lie below; no entry for a path that is the same. */
  readonly files: ReadonlyMap<string, readonly string[]>
  readonly fleetShared: readonly string[]
}

function compare(service: ServiceFiles, { old, now, files, fleetShared }: Comparison): Change {
  if (now.get(service.path) === undefined) {
    return {
      service: service.name,
      status: 'removed',
      reasons: [`${service.path}: is not in the commit`],
      sampleFiles: [],
    }
  }
  const different = pathsOf(service, fleetShared).filter((path) => files.has(path))
  const sampleFiles = [...new Set(different.flatMap((path) => files.get(path) ?? []))].sort().slice(0, SAMPLES)
  const reasons = different.map((path) => {
    const count = files.get(path)?.length ?? 0
    return `${path === service.path ? '' : 'shared '}${path}: ${count} ${count === 1 ? 'file' : 'files'}`
  })
  if (old.get(service.path) === undefined) {
    return { service: service.name, status: 'added', reasons, sampleFiles }
  }
  return { service: service.name, status: different.length === 0 ? 'same' : 'changed', reasons, sampleFiles }
}

function whole(service: ServiceFiles, now: Comparison['now'], status: Change['status'], reason: string): Change {
  if (now.get(service.path) === undefined) {
    return {
      service: service.name,
      status: 'removed',
      reasons: [`${service.path}: is not in the commit`],
      sampleFiles: [],
    }
  }
  return { service: service.name, status, reasons: [reason], sampleFiles: [] }
}

/** The service's own folder first. */
function pathsOf(service: ServiceFiles, fleetShared: readonly string[]): string[] {
  return [...new Set([service.path, ...service.shared, ...fleetShared])]
}

/** Sorts files under the paths that hold them, by looking up each file's folders: paths × files would be too many. */
function byPath(paths: readonly string[], files: readonly string[]): Map<string, string[]> {
  const buckets = new Map<string, string[]>(paths.map((path) => [repositoryPath(path), []]))
  for (const file of files) {
    for (let holder = file; ; holder = holder.slice(0, Math.max(0, holder.lastIndexOf('/')))) {
      buckets.get(holder)?.push(file)
      if (holder === '') break
    }
  }
  return new Map(paths.map((path) => [path, buckets.get(repositoryPath(path)) ?? []]))
}

import { createHash } from 'node:crypto'
import type { Artifact } from '../../src/build/artifact.ts'
import type { Builder } from '../../src/build/builder.ts'
import { inputsKey } from '../../src/build/inputs.ts'
import type { ArtifactStore } from '../../src/build/store.ts'
import { forEnvironment } from '../../src/manifest/environment.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { Refusal } from '../../src/problem/problem.ts'
import type { Repository } from '../../src/source/repository.ts'

/** What is released in tests that have neither git nor builds: commits that are a manifest and a version per service. */
export interface FleetInMemory {
  readonly repository: Repository
  readonly store: ArtifactStore
  readonly builder: Builder
  /** Gives the id of the new commit, which is the newest of `main`. */
  commit(manifest: string, versions: Readonly<Record<string, string>>): Promise<string>
}

interface Committed {
  readonly manifest: string
  readonly versions: Readonly<Record<string, string>>
}

export function fleetInMemory(environment: string): FleetInMemory {
  const commits = new Map<string, Committed>()
  const artifacts = new Map<string, Artifact>()
  let newest = ''
  const builder: Builder = {
    language: 'command',
    version: 1,
    compiles: true,
    passedOn: [],
    toolchain: async () => 'none',
    build: async () => unexpected('a build'),
  }
  const versionAt = (commit: string, path: string): string | undefined =>
    commits.get(commit)?.versions[path.replace('services/', '')]

  /** As if every version had been built before: an artifact is named by it. */
  function build(service: Parameters<typeof inputsKey>[0]['service'], version: string | undefined): void {
    const trees = new Map([[service.path, version]])
    const id = createHash('sha256').update(`${service.name} ${version}`).digest('hex').slice(0, 20)
    artifacts.set(inputsKey({ service, trees, builder, toolchain: 'none' }), {
      service: service.name,
      id,
      language: 'command',
      folder: `/store/${id}`,
      cwd: '',
      start: `run ${service.name} ${version}`,
      environment: {},
      bytes: 1,
    })
  }

  const repository = {
    url: '/repository',
    fetch: async () => undefined,
    resolve: async (ref: string) => ({
      id: commits.has(ref) ? ref : newest,
      subject: 'change',
      author: 'test',
      date: 0,
    }),
    read: async (commit: string) => commits.get(commit)?.manifest,
    at: () => ({ exists: async () => true, list: async () => [] }),
    trees: async (commit: string, paths: readonly string[]) =>
      new Map(paths.map((path) => [path, versionAt(commit, path)])),
    changedFiles: async () => [],
    has: async (commit: string) => commits.has(commit),
  }
  const store = {
    find: async (inputs: string) => artifacts.get(inputs),
    get: async (_service: string, id: string) => [...artifacts.values()].find((artifact) => artifact.id === id),
    folderOf: async ({ id }: Pick<Artifact, 'id'>) => `/store/${id}`,
  }

  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a release asks of a repository
    repository: repository as unknown as Repository,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a release asks of the store when all is built
    store: store as unknown as ArtifactStore,
    builder,
    async commit(manifest, versions) {
      const { fleet, problems } = await loadManifest(manifest, { file: 'drover.yaml' })
      if (fleet === undefined) throw new Refusal(problems)
      newest = createHash('sha1')
        .update(JSON.stringify([manifest, versions, commits.size]))
        .digest('hex')
      commits.set(newest, { manifest, versions })
      for (const service of forEnvironment(fleet, environment).services) build(service, versions[service.name])
      return newest
    },
  }
}

function unexpected(what: string): never {
  throw new Error(`${what} is not part of these tests`)
}

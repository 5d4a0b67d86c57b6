import { hash } from 'node:crypto'
import { refusal } from '../problem/problem.ts'
import type { BuildableService, Builder } from './builder.ts'

/** Versions of the paths that a service is built from, as the source gives them: equal versions are equal content. */
export type Versions = ReadonlyMap<string, string | undefined>

export interface Inputs {
  readonly service: BuildableService
  /** Of the service's path, its shared paths and those of the fleet. */
  readonly trees: Versions
  readonly builder: Builder
  readonly toolchain: string
}

/**
 * The name of everything that decides what a build makes. A migration counts, because a service that migrates keeps
 * the tools for it; what its command is does not.
 */
export function inputsKey({ service, trees, builder, toolchain }: Inputs): string {
  const { name, path, language, build, start, migrate } = service
  const versions = [...trees].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const parts = [
    name,
    path,
    language,
    build ?? null,
    start ?? null,
    migrate !== undefined,
    versions,
    toolchain,
    builder.version,
  ]
  return hash('sha256', JSON.stringify(parts))
}

/** The paths that exist in the commit; a Refusal when the service's own is not one of them. */
export function pathsToCheckOut(service: BuildableService, trees: Versions): string[] {
  if (trees.get(service.path) === undefined) {
    throw refusal(
      'build/no-folder',
      `service ${service.name}`,
      `its folder ${service.path} does not exist in the commit`,
      'Set "path" in drover.yaml to the folder that the service is in.',
    )
  }
  return [...trees].filter(([, version]) => version !== undefined).map(([path]) => path)
}

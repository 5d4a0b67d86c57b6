import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { Fleet } from '../manifest/fleet.ts'
import { readOutline } from '../manifest/outline.ts'
import { Refusal, problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { EnvironmentRef } from '../release/records.ts'
import type { Cli } from './cli.ts'

export const MANIFEST = 'drover.yaml'

interface Place {
  /** Absolute. */
  readonly path: string
  /** As a person would name it from where they are. */
  readonly name: string
  readonly folder: string
}

/** A manifest of the working tree, read. */
export interface ManifestFile extends Place {
  /** Absent when a problem is an error. */
  readonly fleet?: Fleet
  readonly problems: readonly Problem[]
}

/** The manifest that is named, else `drover.yaml` here or in the nearest folder above; undefined when there is none. */
export async function findManifest(
  cli: Pick<Cli, 'cwd' | 'config'>,
  named = cli.config,
): Promise<ManifestFile | undefined> {
  const found = await findText(cli, named)
  if (found === undefined) return undefined
  const { text, ...place } = found
  // The schema and its library take longer to load than most commands take.
  const [{ loadManifest }, { workingTree }] = await Promise.all([
    import('../manifest/load.ts'),
    import('../manifest/detect.ts'),
  ])
  const { fleet, problems } = await loadManifest(text, { file: place.name, repository: workingTree(place.folder) })
  return { ...place, problems, ...(fleet === undefined ? {} : { fleet }) }
}

/** What commands have to know that hand the rest to the control plane. */
export interface ManifestOutline extends Place {
  readonly environments: readonly EnvironmentRef[]
}

/** As {@link findManifest}, but the names only; undefined also where the file does not show them plainly. */
export async function findOutline(cli: Pick<Cli, 'cwd' | 'config'>): Promise<ManifestOutline | undefined> {
  const found = await findText(cli, cli.config)
  if (found === undefined) return undefined
  const { text, ...place } = found
  const outline = await readOutline(text, place.name)
  if (outline === undefined) return undefined
  return { ...place, environments: outline.environments.map((name) => ({ fleet: outline.fleet, environment: name })) }
}

/** As {@link findManifest}; a Refusal when there is none. */
export async function requireManifest(cli: Pick<Cli, 'cwd' | 'config'>, named?: string): Promise<ManifestFile> {
  const found = await findManifest(cli, named)
  if (found !== undefined) return found
  const hint = '`drover init` writes a draft from what lies in a repository; -c names a file elsewhere.'
  throw new Refusal(
    [problem('cli/no-manifest', cli.cwd, `has no ${MANIFEST}, nor has a folder above it`, hint)],
    'usage',
  )
}

/** As {@link requireManifest}; a Refusal with every complaint when it has errors. */
export async function requireFleet(
  cli: Pick<Cli, 'cwd' | 'config'>,
): Promise<ManifestFile & { readonly fleet: Fleet }> {
  const manifest = await requireManifest(cli)
  const { fleet } = manifest
  if (fleet === undefined) throw new Refusal(manifest.problems, 'usage')
  return { ...manifest, fleet }
}

/** The git repository that a folder lies in: its top folder, links resolved, so that it is the same from everywhere. */
export async function repositoryAround(folder: string): Promise<string> {
  const git = await nearest(await realpath(folder), '.git')
  if (git !== undefined) return dirname(git)
  const hint = 'Drover releases commits: run `git init`, then commit what is to be released.'
  throw new Refusal([problem('cli/no-repository', folder, 'does not lie in a git repository', hint)], 'usage')
}

async function findText(
  cli: Pick<Cli, 'cwd' | 'config'>,
  named: string | undefined,
): Promise<(Place & { readonly text: string }) | undefined> {
  const path = named === undefined ? await nearest(cli.cwd, MANIFEST) : resolve(cli.cwd, named)
  if (path === undefined) return undefined
  const name = relative(cli.cwd, path)
  return { path, name, folder: dirname(path), text: await readText(path, name) }
}

async function nearest(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name)
  const found = await stat(path).then(
    () => true,
    () => false,
  )
  if (found) return path
  const above = dirname(folder)
  return above === folder ? undefined : nearest(above, name)
}

async function readText(path: string, name: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    const hint = why === 'ENOENT' ? 'Is the path right? `drover init` writes a draft.' : undefined
    throw new Refusal([problem('cli/unreadable', name, `cannot be read: ${why}`, hint)], 'usage', { cause })
  }
}

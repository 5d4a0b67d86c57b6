import { isMap, isScalar } from 'yaml'
import type { Document } from 'yaml'
import { readYaml } from './read-yaml.ts'

/** What a client has to know of a manifest to say which environment it means. */
export interface Outline {
  readonly fleet: string
  /** Names, in the order of the file. */
  readonly environments: readonly string[]
}

/**
 * The names in a manifest, for programs that only pass them on: the schema and every check are left to whoever reads the
 * commit that is released. undefined when the text does not show them plainly; `loadManifest` says why.
 */
export function readOutline(text: string, file: string): Outline | undefined {
  const { document } = readYaml(text, file)
  if (document === undefined) return undefined
  const fleet = document.get('fleet')
  const environments = keysOf(document, 'environments')
  return typeof fleet === 'string' && environments !== undefined ? { fleet, environments } : undefined
}

function keysOf(document: Document, key: string): string[] | undefined {
  const found = document.get(key)
  if (!isMap(found) || found.items.length === 0) return undefined
  const names = found.items.map(({ key: name }) => (isScalar(name) ? name.value : undefined))
  return names.every((name) => typeof name === 'string') ? names : undefined
}

import { isMap, isScalar } from 'yaml'
import type { Document } from 'yaml'
import type { Outline } from './outline.ts'
import { readYaml } from './read-yaml.ts'

/** The outline as YAML has it, however it is written. */
export function yamlOutline(text: string, file: string): Outline | undefined {
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

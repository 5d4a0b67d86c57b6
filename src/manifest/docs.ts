import { nearMiss } from '../problem/near-miss.ts'
import { refusal } from '../problem/problem.ts'
import { manifestJsonSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'

const WIDTH = 100

interface Section {
  readonly name: string
  /** Where it stands in the file. */
  readonly at: string
  readonly schema: JsonSchema
}

/** Names that {@link manifestDocs} takes. */
export function docsSections(): string[] {
  return sections().map(({ name }) => name)
}

/** Every key of a section (default: of all) with its type, default and meaning. A Refusal for an unknown section. */
export function manifestDocs(section?: string): string {
  const all = sections()
  if (section === undefined) return all.map(sectionText).join('\n')
  const found = all.find(({ name }) => name === section)
  if (found !== undefined) return sectionText(found)
  const names = all.map(({ name }) => name)
  const meant = nearMiss(section, names)
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}The sections are ${names.join(', ')}.`
  throw refusal('manifest/unknown-section', 'drover docs', `there is no section ${JSON.stringify(section)}`, hint)
}

function sections(): Section[] {
  const top = manifestJsonSchema()
  const store = entryOf(top, 'stores')
  const environment = entryOf(top, 'environments')
  const service = entryOf(top, 'services')
  const rolling = mappingOf(key(environment, 'strategy'))
  return [
    { name: 'manifest', at: 'drover.yaml', schema: top },
    { name: 'services', at: 'services.<name>', schema: service },
    { name: 'ready', at: 'services.<name>.ready', schema: mappingOf(key(service, 'ready')) },
    { name: 'migrate', at: 'services.<name>.migrate', schema: mappingOf(key(service, 'migrate')) },
    { name: 'singleton', at: 'services.<name>.singleton', schema: mappingOf(key(service, 'singleton')) },
    { name: 'limits', at: 'services.<name>.limits', schema: key(service, 'limits') },
    { name: 'defaults', at: 'defaults', schema: key(top, 'defaults') },
    { name: 'environments', at: 'environments.<name>', schema: environment },
    { name: 'verify', at: 'environments.<name>.verify', schema: key(environment, 'verify') },
    { name: 'rolling', at: 'environments.<name>.strategy.rolling', schema: key(rolling, 'rolling') },
    { name: 'hosts', at: 'hosts.<name>', schema: mappingOf(entryOf(top, 'hosts')) },
    { name: 'stores', at: 'stores.<name>', schema: store },
  ]
}

function key(schema: JsonSchema, name: string): JsonSchema {
  return schema.properties?.[name] ?? {}
}

function entryOf(schema: JsonSchema, name: string): JsonSchema {
  return key(schema, name).additionalProperties || {}
}

function mappingOf(schema: JsonSchema): JsonSchema {
  return schema.anyOf?.find(({ type }) => type === 'object') ?? schema
}

function sectionText({ name, at, schema }: Section): string {
  const keys = Object.entries(schema.properties ?? {})
  // In `defaults` the keys are those of a service, explained there.
  if (name === 'defaults') {
    const list = `May give ${keys.map(([word]) => word).join(', ')}. ${schema.description ?? ''}`
    return `${at}\n${wrap(list, '  ')}`
  }
  const head = `${at}${name === at ? '' : `    (drover docs ${name})`}\n`
  return head + keys.map(([word, value]) => keyText(word, value, schema.required?.includes(word) ?? false)).join('')
}

function keyText(word: string, schema: JsonSchema, required: boolean): string {
  const kind = typeOf(schema)
  const fallback = schema.default === undefined ? '' : `, default ${asYaml(schema.default)}`
  return `  ${word}: ${kind}${required ? ', required' : fallback}\n${wrap(schema.description ?? '', '      ')}`
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.join(' | ')
  if (schema.title !== undefined) return schema.title
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ')
  if (schema.prefixItems !== undefined) return `[${schema.prefixItems.map(typeOf).join(', ')}]`
  if (schema.items !== undefined) return `list of: ${typeOf(schema.items)}`
  if (schema.type === 'integer') return `number from ${schema.minimum} to ${schema.maximum}`
  if (schema.type === 'boolean') return 'true or false'
  return schema.type === 'object' ? 'mapping' : (schema.type ?? 'anything')
}

function asYaml(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function wrap(text: string, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map((part) => `${indent}${part}\n`).join('')
}

import { isDeepStrictEqual } from 'node:util'
import { isMap, isScalar, parseDocument, stringify } from 'yaml'
import type { Document, Pair, YAMLMap } from 'yaml'
import { refusal } from '../problem/problem.ts'

/** What stands behind a host's name; a destination alone is written as the short form. */
export interface HostEntry {
  readonly ssh: string
  readonly port?: number
  readonly address?: string
  readonly labels?: readonly string[]
}

/**
 * The text of a manifest with one more host. Everything else stays as a person wrote it, to the byte where the file is
 * laid out as most are: lines and no braces. Throws a Refusal when the host is there, or the text is no YAML mapping.
 */
export function addHost(text: string, name: string, entry: HostEntry): string {
  const document = parseDocument(text)
  const [fault] = document.errors
  if (fault !== undefined || !isMap(document.contents)) {
    const what = fault === undefined ? 'is not a mapping' : (fault.message.split('\n')[0] ?? '')
    throw refusal('manifest/not-yaml', 'drover.yaml', what, 'Mend it; `drover check` names the place.')
  }
  const hosts = document.get('hosts')
  if (!isNothing(hosts) && !isMap(hosts)) {
    throw refusal('manifest/not-yaml', 'hosts', 'should be a mapping of hosts', 'Mend it in drover.yaml first.')
  }
  if (document.hasIn(['hosts', name])) {
    const hint = 'Change it in drover.yaml, or choose another name.'
    throw refusal('manifest/host-exists', `hosts.${name}`, 'is in drover.yaml already', hint)
  }
  const value = valueOf(entry)
  const wanted = document.clone()
  put(wanted, name, value)
  const spliced = splice(text, document.contents, `${name}: ${inFlow(value)}`)
  if (spliced !== undefined && isDeepStrictEqual(parsed(spliced), wanted.toJS())) return spliced
  put(document, name, document.createNode(value, { flow: true }))
  return document.toString({ lineWidth: 0 })
}

type HostValue = string | Readonly<Record<string, unknown>>

function valueOf({ ssh, port, address, labels = [] }: HostEntry): HostValue {
  const more = {
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { address }),
    ...(labels.length === 0 ? {} : { labels }),
  }
  return Object.keys(more).length === 0 ? ssh : { ssh, ...more }
}

/** `{ ssh: …, labels: [web] }`: braces with room inside, as most people write them, and brackets without. */
function inFlow(value: HostValue): string {
  const inOneLine = { collectionStyle: 'flow', lineWidth: 0 } as const
  if (typeof value === 'string' || value['labels'] === undefined) return stringify(value, inOneLine).trimEnd()
  const { labels, ...others } = value
  const list = stringify(labels, { ...inOneLine, flowCollectionPadding: false }).trimEnd()
  return stringify(others, inOneLine).replace(/ \}\s*$/, `, labels: ${list} }`)
}

function put(document: Document, name: string, value: unknown): void {
  if (isMap(document.get('hosts'))) document.setIn(['hosts', name], value)
  else document.set('hosts', document.createNode({ [name]: value }))
}

/** `hosts:` with nothing behind it, or no such key. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (isScalar(value) && value.value === null)
}

/** undefined where it is no YAML any more. */
function parsed(text: string): unknown {
  const document = parseDocument(text)
  return document.errors.length === 0 ? document.toJS() : undefined
}

/** The entry put in as a line of its own; undefined where the file is laid out in another way. */
function splice(text: string, contents: YAMLMap, line: string): string | undefined {
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const hosts = pairOf(contents, 'hosts')
  if (hosts === undefined) return insertSection(text, contents, `hosts:${eol}  ${line}${eol}`, eol)
  const { value } = hosts
  if (!isMap(value) || value.flow === true) {
    return isNothing(value) ? insertLine(text, endOf(hosts.key), `  ${line}`, eol) : undefined
  }
  const [first] = value.items
  const last = value.items.at(-1)
  if (first === undefined || last === undefined) return undefined
  const indent = indentOf(text, startOf(first.key) ?? 0)
  return insertLine(text, endOf(last.value) ?? endOf(last.key), `${indent}${line}`, eol)
}

/** Before the environments, which name hosts, and above the remarks on them; else at the end. */
function insertSection(text: string, contents: YAMLMap, section: string, eol: string): string {
  const start = startOf(pairOf(contents, 'environments')?.key)
  if (start === undefined) return `${text}${text === '' || text.endsWith('\n') ? '' : eol}${section}`
  const before = text.slice(0, start).split('\n')
  // What stands before the key on its own line: nothing.
  const own = before.pop() ?? ''
  let lines = before.length
  while (lines > 0 && before[lines - 1]?.startsWith('#') === true) lines -= 1
  const at = before.slice(0, lines).reduce((sum, each) => sum + each.length + 1, 0)
  const gap = lines > 0 && before[lines - 1]?.trim() === '' ? eol : ''
  return own === '' ? `${text.slice(0, at)}${section}${gap}${text.slice(at)}` : text
}

/** After the line that a position stands in; a node that ends with its line ends at the start of the next. */
function insertLine(text: string, position: number | undefined, line: string, eol: string): string | undefined {
  if (position === undefined) return undefined
  if (position > 0 && text[position - 1] === '\n')
    return `${text.slice(0, position)}${line}${eol}${text.slice(position)}`
  const end = text.indexOf('\n', position)
  if (end === -1) return `${text}${eol}${line}${eol}`
  return `${text.slice(0, end + 1)}${line}${eol}${text.slice(end + 1)}`
}

function indentOf(text: string, position: number): string {
  return text.slice(text.lastIndexOf('\n', position - 1) + 1, position)
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && pair.key.value === key)
}

function startOf(node: unknown): number | undefined {
  return rangeOf(node)?.[0]
}

/** Where the value itself ends, without remarks behind it. */
function endOf(node: unknown): number | undefined {
  return rangeOf(node)?.[1]
}

function rangeOf(node: unknown): readonly number[] | undefined {
  const range: unknown = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
  return Array.isArray(range) && range.every((each) => typeof each === 'number') ? range : undefined
}

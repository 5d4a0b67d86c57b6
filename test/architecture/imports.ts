import { tokensOf } from './tokens.ts'
import type { Token } from './tokens.ts'

export interface Import {
  readonly specifier: string
  /** Gone at run time: `import type`, `export type … from`, `import('…').Name` in a type. */
  readonly typeOnly: boolean
  /** From 1. */
  readonly line: number
  /** Names as the other file exports them; `default` and `*` included. Empty for a dynamic or bare import. */
  readonly names: readonly string[]
  readonly reexports: boolean
}

/** What a source file takes from others and hands on. */
export interface Outline {
  readonly imports: readonly Import[]
  /** Line of the default export. */
  readonly defaultExport?: number
  /** Nothing but imports and exports of what other files define. */
  readonly barrel: boolean
  /** Lines on which the environment of the process is read. */
  readonly environmentReads: readonly number[]
}

export function outlineOf(source: string): Outline {
  const tokens = tokensOf(source)
  const imports: Import[] = []
  let defaultExport: number | undefined
  let ownStatements = 0
  let handsOn = false
  let at = 0
  while (at < tokens.length) {
    const statement = statementAt(tokens, at)
    if (statement.import !== undefined) imports.push(statement.import)
    if (statement.exports.includes('default')) defaultExport ??= tokens[at]!.line
    if (statement.own) ownStatements++
    handsOn ||= statement.exports.length > 0
    at = statement.end
  }
  const environmentReads = tokens.flatMap((token, index) => (readsEnvironment(tokens, index) ? [token.line] : []))
  return {
    imports,
    barrel: handsOn && ownStatements === 0,
    environmentReads,
    ...(defaultExport === undefined ? {} : { defaultExport }),
  }
}

/** The next piece of a file: an import or export clause, or one token of anything else. */
interface Statement {
  /** Index of the first token after it. */
  readonly end: number
  readonly import?: Import
  readonly exports: readonly string[]
  /** Neither an import nor an export list. */
  readonly own: boolean
}

function statementAt(tokens: readonly Token[], at: number): Statement {
  const token = tokens[at]!
  const rest: Statement = { end: at + 1, exports: [], own: token.text !== ';' }
  if (token.kind !== 'word' || tokens[at - 1]?.text === '.') return rest
  if (token.text === 'import') return importAt(tokens, at) ?? rest
  if (token.text === 'export') return exportAt(tokens, at) ?? rest
  if (token.text === 'require') return called(tokens, at, false) ?? rest
  return rest
}

function importAt(tokens: readonly Token[], at: number): Statement | undefined {
  const next = tokens[at + 1]
  if (next?.text === '(' && next.kind === 'mark') return called(tokens, at, isTypeQuery(tokens, at))
  if (next?.kind === 'string') return clause(tokens, { at, from: at + 1, typeOnly: false, names: [] })
  const typeOnly = isTypeModifier(tokens, at + 1)
  const start = typeOnly ? at + 2 : at + 1
  const from = fromAfter(tokens, start)
  if (from === undefined) return undefined
  return clause(tokens, { at, from, typeOnly, names: namesBetween(tokens, start, from) })
}

function exportAt(tokens: readonly Token[], at: number): Statement | undefined {
  if (tokens[at + 1]?.text === 'default') return { end: at + 2, exports: ['default'], own: true }
  const typeOnly = isTypeModifier(tokens, at + 1)
  const start = typeOnly ? at + 2 : at + 1
  if (tokens[start]?.text !== '*' && tokens[start]?.text !== '{') return undefined
  const from = fromAfter(tokens, start)
  const end = from ?? closing(tokens, start) + 1
  const exports = tokens[start].text === '*' ? ['*'] : exportedNames(tokens.slice(start + 1, end))
  if (from === undefined) return { end, exports, own: false }
  return { ...clause(tokens, { at, from, typeOnly, names: namesBetween(tokens, start, from) }), exports }
}

/** `import type X`, `import type { X }` and `export type * from`, but not a default import that is named `type`. */
function isTypeModifier(tokens: readonly Token[], at: number): boolean {
  if (tokens[at]?.text !== 'type' || tokens[at].kind !== 'word') return false
  const next = tokens[at + 1]
  return next?.text !== ',' && (next?.text !== 'from' || tokens[at + 2]?.kind !== 'string')
}

interface Clause {
  readonly at: number
  /** Index of the specifier. */
  readonly from: number
  readonly typeOnly: boolean
  readonly names: readonly string[]
}

function clause(tokens: readonly Token[], { at, from, typeOnly, names }: Clause): Statement {
  const line = tokens[at]!.line
  const reexports = tokens[at]!.text === 'export'
  // `with { type: 'json' }`
  const end =
    tokens[from + 1]?.text === 'with' && tokens[from + 2]?.text === '{' ? closing(tokens, from + 2) + 1 : from + 1
  return { end, import: { specifier: tokens[from]!.text, typeOnly, line, names, reexports }, exports: [], own: false }
}

/** `import('…')` or `require('…')` with a literal. */
function called(tokens: readonly Token[], at: number, typeOnly: boolean): Statement | undefined {
  const specifier = tokens[at + 2]
  if (tokens[at + 1]?.text !== '(' || specifier?.kind !== 'string') return undefined
  const found = { specifier: specifier.text, typeOnly, line: tokens[at]!.line, names: [], reexports: false }
  return { end: at + 3, import: found, exports: [], own: true }
}

/** In a type, `import('…')` is followed by a member that no promise has, or stands behind `typeof`. */
function isTypeQuery(tokens: readonly Token[], at: number): boolean {
  if (tokens[at - 1]?.text === 'typeof') return true
  const member = tokens[at + 5]
  return tokens[at + 4]?.text === '.' && member?.kind === 'word' && !['then', 'catch', 'finally'].includes(member.text)
}

/** Index of the string after `from`; undefined when the clause ends before one. */
function fromAfter(tokens: readonly Token[], start: number): number | undefined {
  for (let at = start; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    if (text === 'from' && tokens[at + 1]?.kind === 'string') return at + 1
    if (kind === 'opaque' || (kind === 'mark' && !'{}*,'.includes(text))) return undefined
    if (text === '}' && tokens[at + 1]?.text !== 'from') return undefined
  }
  return undefined
}

function closing(tokens: readonly Token[], open: number): number {
  const found = tokens.findIndex((token, index) => index > open && token.kind === 'mark' && token.text === '}')
  return found === -1 ? tokens.length - 1 : found
}

/** `a as b, type c` between braces gives `a` and `c`; a name before the braces is the default export. */
function namesBetween(tokens: readonly Token[], start: number, from: number): string[] {
  const part = tokens.slice(start, from - 1)
  const brace = part.findIndex((token) => token.text === '{')
  const outside = brace === -1 ? part : part.slice(0, brace)
  const inside = brace === -1 ? [] : entriesOf(part.slice(brace + 1)).map((entry) => entry[0]!)
  const defaultName = outside[0]?.kind === 'word' ? ['default'] : []
  return [...defaultName, ...(outside.some((token) => token.text === '*') ? ['*'] : []), ...inside]
}

function exportedNames(list: readonly Token[]): string[] {
  return entriesOf(list).map((entry) => entry.at(-1)!)
}

/** The words of each comma-separated entry up to the closing brace, without the modifier `type`. */
function entriesOf(list: readonly Token[]): string[][] {
  const entries: string[][] = [[]]
  for (const token of list) {
    if (token.text === '}') break
    if (token.text === ',') entries.push([])
    else entries.at(-1)!.push(token.text)
  }
  return entries
    .filter((entry) => entry.length > 0)
    .map((entry) => (entry[0] === 'type' && entry.length > 1 && entry[1] !== 'as' ? entry.slice(1) : entry))
}

/** `process.env`, `process?.env`, `process['env']`, `{ env } = process`. */
function readsEnvironment(tokens: readonly Token[], at: number): boolean {
  if (tokens[at]?.text !== 'process' || tokens[at].kind !== 'word') return false
  const after = tokens.slice(at + 1, at + 4).filter((token) => token.kind !== 'mark' || token.text === '=')
  if (after[0]?.text === 'env' && tokens[at + 1]?.kind === 'mark') return true
  if (tokens[at - 1]?.text !== '=' || tokens[at - 2]?.text !== '}') return false
  const open = tokens.findLastIndex((token, index) => index < at && token.text === '{')
  return tokens.slice(open, at).some((token) => token.text === 'env')
}

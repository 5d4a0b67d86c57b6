import { isAlias, isMap, isNode, isScalar, isSeq } from 'yaml'
import type { Document, LineCounter, Node, Scalar, YAMLMap } from 'yaml'
import { nearMiss } from '../problem/near-miss.ts'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { placeAt, shorten } from './source.ts'
import type { Located, Path, Source } from './source.ts'

/** What aliases may grow a document to. */
const MOST_PARTS = 100_000
const DEEPEST = 60

export interface Walked {
  readonly source: Source
  /** Plain objects, lists and scalars; `x-` keys are left out. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Its aliases made it too large to be read to the end. */
  readonly cutShort: boolean
}

interface Part {
  readonly value: unknown
  readonly located: Located
}

/** Turns a document into plain values and remembers where each of them stands. Aliases are followed within bounds. */
export function walk(document: Document, file: string, lines: LineCounter): Walked {
  const walker = new Walker({ file, lines })
  const { value, located } = walker.visit(document.contents, [])
  return {
    source: { file, lines, root: located },
    value,
    problems: [...walker.problems.values()],
    cutShort: walker.parts > MOST_PARTS,
  }
}

class Walker {
  readonly problems = new Map<string, Problem>()
  readonly #text: Pick<Source, 'file' | 'lines'>
  readonly #anchors = new Map<string, Node>()
  /** Nodes that are being visited: an alias to one of them is a cycle. */
  readonly #open = new Set<Node>()
  parts = 0

  constructor(text: Pick<Source, 'file' | 'lines'>) {
    this.#text = text
  }

  visit(node: unknown, path: Path, keyOffset?: number): Part {
    const offset = (isNode(node) ? node.range?.[0] : undefined) ?? keyOffset ?? 0
    const at = { offset, ...(keyOffset === undefined ? {} : { keyOffset }) }
    const nothing = { value: null, located: at }
    if (!isNode(node)) return nothing
    if (!isAlias(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    if (++this.parts > MOST_PARTS || path.length > DEEPEST) {
      this.#complain(0, [], 'too-large', 'grows beyond all bounds through its aliases', 'Write the values out.')
      return nothing
    }
    if (isAlias(node)) return this.#follow(node.source, offset, path)
    if (isScalar(node)) return { value: scalarValue(node, path), located: at }
    this.#open.add(node)
    try {
      if (isMap(node)) return this.#mapping(node, path, at)
      if (isSeq(node)) return this.#list(node.items, path, at)
      return nothing
    } finally {
      this.#open.delete(node)
    }
  }

  #follow(name: string, offset: number, path: Path): Part {
    const target = this.#anchors.get(name)
    if (target === undefined) {
      const meant = nearMiss(name, this.#anchors.keys())
      this.#complain(
        offset,
        path,
        'unknown-anchor',
        `there is no anchor &${shorten(name)} above`,
        meant && `Did you mean *${meant}?`,
      )
    } else if (this.#open.has(target)) {
      this.#complain(
        offset,
        path,
        'anchor-cycle',
        `the alias *${shorten(name)} stands inside its own anchor`,
        'Write the value out.',
      )
    } else {
      return this.visit(target, path)
    }
    return { value: null, located: { offset } }
  }

  #mapping(node: YAMLMap, path: Path, at: Located): Part {
    const entries: [string, unknown][] = []
    const children = new Map<string, Located>()
    for (const { key: keyNode, value } of node.items) {
      const keyOffset = (isNode(keyNode) ? keyNode.range?.[0] : undefined) ?? at.offset
      const key = this.#key(keyNode, keyOffset, path)
      if (key === undefined || this.#refusesKey(key, keyOffset, [...path, key])) continue
      const earlier = children.get(key)
      if (earlier !== undefined) {
        const first = placeAt(this.#text, earlier.keyOffset ?? 0).line
        this.#complain(
          keyOffset,
          [...path, key],
          'duplicate-key',
          `is given twice, first on line ${first}`,
          'Delete one of the two.',
        )
        continue
      }
      const part = this.visit(value, [...path, key], keyOffset)
      children.set(key, { ...part.located, keyOffset })
      if (!key.startsWith('x-')) entries.push([key, part.value])
    }
    return { value: Object.fromEntries(entries), located: { ...at, children } }
  }

  #list(items: readonly unknown[], path: Path, at: Located): Part {
    const parts = items.map((item, index) => this.visit(item, [...path, index]))
    return {
      value: parts.map((part) => part.value),
      located: { ...at, children: new Map(parts.map((part, index) => [String(index), part.located])) },
    }
  }

  #key(node: unknown, offset: number, path: Path): string | undefined {
    if (isScalar(node)) {
      // `1:` and `true:` are keys like any other to a person: the text counts.
      return typeof node.value === 'string' ? node.value : (node.source ?? '')
    }
    this.#complain(offset, path, 'key', 'has a key that is not plain text', 'Give the key as one word.')
    return undefined
  }

  #refusesKey(key: string, offset: number, path: Path): boolean {
    if (key === '<<') {
      this.#complain(
        offset,
        path,
        'merge-key',
        'is a YAML merge key, which is not read',
        'Put what services share under `defaults`.',
      )
      return true
    }
    if (key === '__proto__') {
      this.#complain(offset, path, 'key', 'cannot be used as a key', 'Rename it.')
      return true
    }
    return false
  }

  #complain(offset: number, path: Path, code: string, what: string, hint?: string): void {
    // An anchor that is used many times is visited many times; one complaint for one place is enough.
    const name = `${code} ${offset}`
    if (!this.problems.has(name))
      this.problems.set(name, problem(`manifest/${code}`, placeAt(this.#text, offset, path), what, hint))
  }
}

/** The value of a variable is the text as written: `VERSION: 1.10` and `ID: 007` must not become 1.1 and 7. */
function scalarValue(node: Scalar, path: Path): unknown {
  const loses = typeof node.value === 'number' || typeof node.value === 'boolean'
  return loses && isVariable(path) ? (node.source ?? String(node.value)) : node.value
}

function isVariable(path: Path): boolean {
  if (path.at(-2) !== 'variables') return false
  if (path.length === 3) return path[0] === 'defaults'
  if (path.length === 4) return path[0] === 'services' || path[0] === 'environments'
  return path.length === 6 && path[0] === 'environments' && path[2] === 'services'
}

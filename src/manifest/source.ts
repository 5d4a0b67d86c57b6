import type { LineCounter } from 'yaml'
import { formatPlace, formatProblem, problem } from '../problem/problem.ts'
import type { Place, Problem } from '../problem/problem.ts'

/** Keys and list positions from the top of the document down. */
export type Path = readonly PropertyKey[]

/** Where a part of the document stands in the text. Offsets count characters from 0. */
export interface Located {
  readonly offset: number
  /** Of the key that leads here; absent for the document itself and for list entries. */
  readonly keyOffset?: number
  /** Entries of a mapping by key, of a list by position. Absent for a scalar. */
  readonly children?: ReadonlyMap<string, Located>
}

/** A text that has been read, and what is needed to say where in it something is. */
export interface Source {
  readonly file: string
  readonly lines: LineCounter
  readonly root: Located
}

/** The part at a path, or undefined when the document has no such part. */
export function locate(root: Located, path: Path): Located | undefined {
  let part: Located | undefined = root
  for (const step of path) part = part?.children?.get(String(step))
  return part
}

/**
 * The place of a path: a scalar's own, the key of a mapping or list, and for what is missing the nearest part above it.
 * `key`: the key even of a scalar.
 */
export function placeOf(source: Source, path: Path, aim: 'value' | 'key' = 'value'): Place {
  let part = source.root
  for (const step of path) {
    const next = part.children?.get(String(step))
    if (next === undefined) break
    part = next
  }
  const useKey = aim === 'key' || part.children !== undefined
  return placeAt(source, useKey ? (part.keyOffset ?? part.offset) : part.offset, path)
}

export function placeAt(source: Pick<Source, 'file' | 'lines'>, offset: number, path: Path = []): Place {
  const { line, col } = source.lines.linePos(offset)
  return {
    file: source.file,
    line: Math.max(1, line),
    column: Math.max(1, col),
    ...(path.length === 0 ? {} : { at: formatPath(path) }),
  }
}

/** `services.backend.needs[1]`; a key that would be misread is quoted. */
export function formatPath(path: Path): string {
  return path
    .map((step, depth) => {
      if (typeof step === 'number') return `[${step}]`
      const key = String(step)
      const name = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) ? key : JSON.stringify(shorten(key))
      return depth === 0 ? name : `.${name}`
    })
    .join('')
}

/** A value as a message shows it: short, on one line, without the inside of mappings. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'string') return JSON.stringify(shorten(value))
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`
}

export function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`
}

/** Collects problems of one source, each once. What stands where the text itself was wrong is not complained about again. */
export class Complaints {
  readonly #source: Source
  readonly #seen = new Map<string, Problem>()
  readonly #broken: ReadonlySet<string>

  constructor(source: Source, found: readonly Problem[]) {
    this.#source = source
    this.#broken = new Set(found.map(({ where }) => formatPlace(where)))
    for (const each of found) this.#seen.set(formatProblem(each), each)
  }

  get problems(): Problem[] {
    return [...this.#seen.values()]
  }

  error(code: string, path: Path, what: string, hint?: string): void {
    this.#add(problem(`manifest/${code}`, placeOf(this.#source, path), what, hint))
  }

  /** An error about a key itself rather than about its value. */
  keyError(code: string, path: Path, what: string, hint?: string): void {
    this.#add(problem(`manifest/${code}`, placeOf(this.#source, path, 'key'), what, hint))
  }

  warning(code: string, path: Path, what: string, hint?: string): void {
    this.#add({ ...problem(`manifest/${code}`, placeOf(this.#source, path), what, hint), severity: 'warning' })
  }

  #add(found: Problem): void {
    if (!this.#broken.has(formatPlace(found.where))) this.#seen.set(formatProblem(found), found)
  }

  /** Whether the document says something at a path, be it right or wrong. */
  says(...path: Path): boolean {
    return locate(this.#source.root, path) !== undefined
  }

  /** Whether there is a mapping at a path, and nothing in it. */
  isEmpty(...path: Path): boolean {
    return locate(this.#source.root, path)?.children !== undefined && this.namesIn(...path).length === 0
  }

  /** The names in a mapping of the document, those with something wrong inside too: all that may be referred to. */
  namesIn(...path: Path): string[] {
    return [...(locate(this.#source.root, path)?.children?.keys() ?? [])].filter((key) => !key.startsWith('x-'))
  }
}

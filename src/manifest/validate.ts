import type { z } from 'zod'
import { manifestSchema } from './schema.ts'
import type { Manifest } from './schema.ts'
import type { Complaints, Path } from './source.ts'

type Issue = z.core.$ZodIssue
type Plain = Record<string, unknown>

/** Every round takes at least one level of a wrong part away, and a manifest is less deep than this. */
const MOST_ROUNDS = 12

/**
 * Checks a document against the schema and complains about everything in it. What is wrong is cut out and the rest is
 * given back, so that the checks across services can run on it and all complaints come at once. undefined: nothing is left.
 */
export function validate(value: unknown, complaints: Complaints): Manifest | undefined {
  const draft = structuredClone(value)
  const standIns = new StandIns(value)
  /** What was cut out is missing in the next round, which is no news. */
  const cut = new Set<string>()
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const result = manifestSchema.safeParse(draft)
    if (result.success) return standIns.remove(result.data)
    for (const issue of result.error.issues) {
      for (const { code, path, message, onKey } of findings(issue)) {
        if (cut.has(JSON.stringify(path))) continue
        const [what = '', hint] = message.split('\n')
        const place = path.map((step) => standIns.original(step))
        if (onKey) complaints.keyError(code, place, what, hint)
        else complaints.error(code, place, what, hint)
      }
    }
    for (const issue of result.error.issues) {
      cut.add(JSON.stringify(issue.path))
      if (!cutOut(draft, issue, standIns)) return undefined
    }
  }
  return undefined
}

interface Finding {
  readonly code: string
  readonly path: Path
  readonly message: string
  readonly onKey?: boolean
}

function findings(issue: Issue): Finding[] {
  const { path } = issue
  switch (issue.code) {
    case 'unrecognized_keys': {
      const hints = issue.message.split('\n')
      return issue.keys.map((key, index) => ({
        code: 'unknown-key',
        path: [...path, key],
        message: `is not a key\n${hints[index]}`,
        onKey: true,
      }))
    }
    case 'invalid_key':
      return issue.issues.map((inner) => ({ code: 'name', path, message: inner.message, onKey: true }))
    case 'invalid_union':
      return insideUnion(issue)
    default:
      return [{ code: 'invalid', path, message: issue.message }]
  }
}

/** The complaints of the branch whose type fits; of the union as a whole when none does. */
function insideUnion(issue: Issue & { code: 'invalid_union' }): Finding[] {
  const fitting = issue.errors.find(
    (branch) => !branch.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
  )
  if (fitting === undefined) return [{ code: 'invalid', path: issue.path, message: issue.message }]
  return fitting.flatMap(findings).map((finding) => ({ ...finding, path: [...issue.path, ...finding.path] }))
}

/** Takes what an issue is about out of the draft; false when that is the whole of it. */
function cutOut(draft: unknown, issue: Issue, standIns: StandIns): boolean {
  const holder = descend(draft, issue.code === 'unrecognized_keys' ? issue.path : issue.path.slice(0, -1))
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) if (isPlain(holder)) delete holder[key]
    return true
  }
  const key = issue.path.at(-1)
  if (issue.code === 'invalid_key' && isPlain(holder)) {
    standIns.rename(holder, String(key))
    return true
  }
  return cutPath(draft, issue.path)
}

/** An entry of a list keeps its position, and a required key that is missing cannot be cut out: what holds it goes. */
function cutPath(draft: unknown, path: Path): boolean {
  const key = String(path.at(-1))
  const holder = descend(draft, path.slice(0, -1))
  if (path.length === 0) return false
  if (!isPlain(holder)) return holder === undefined || cutPath(draft, path.slice(0, -1))
  const held = Object.hasOwn(holder, key)
  delete holder[key]
  const placeholder = placeholderFor(path)
  if (placeholder !== undefined) holder[key] = placeholder
  return held || placeholder !== undefined || cutPath(draft, path.slice(0, -1))
}

/** Without these nothing else could be checked. */
function placeholderFor(path: Path): unknown {
  const key = path.at(-1)
  if (path.length === 1 && key === 'fleet') return 'unnamed'
  if (path.length === 1 && (key === 'environments' || key === 'services')) return {}
  return path.length === 3 && path[0] === 'environments' && key === 'branch' ? 'unknown' : undefined
}

/** Keys with a wrong name: they stay under a name of ours for as long as what they hold is checked. */
class StandIns {
  readonly #prefix: string
  readonly #originals = new Map<string, string>()

  constructor(value: unknown) {
    const text = JSON.stringify(value) ?? ''
    let prefix = 'z'
    while (text.includes(prefix)) prefix += 'z'
    this.#prefix = prefix
  }

  rename(holder: Plain, key: string): void {
    const standIn = `${this.#prefix}${this.#originals.size}`
    this.#originals.set(standIn, key)
    holder[standIn] = holder[key]
    delete holder[key]
  }

  original(step: PropertyKey): PropertyKey {
    return this.#originals.get(String(step)) ?? step
  }

  remove<T>(part: T): T {
    if (this.#originals.size === 0 || !isPlain(part)) return part
    for (const key of Object.keys(part)) {
      if (this.#originals.has(key)) delete part[key]
      else this.remove(part[key])
    }
    return part
  }
}

function descend(top: unknown, path: Path): unknown {
  let part = top
  for (const step of path) part = typeof part === 'object' && part !== null ? Reflect.get(part, step) : undefined
  return part
}

function isPlain(part: unknown): part is Plain {
  return typeof part === 'object' && part !== null && !Array.isArray(part)
}

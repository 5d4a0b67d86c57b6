import { inspect } from 'node:util'

const REDACTED = '[REDACTED]'

/** Shorter values, and shorter pieces of one, stand in too many innocent words. */
const SHORTEST_VALUE = 4
const SHORTEST_PIECE = 8

/**
 * A value that cannot be printed. String conversion, JSON, inspection and concatenation all give `[REDACTED]`;
 * {@link Secret.open} is the only way out, and is called only where the value leaves for its one purpose:
 * a child's stdin, a 0600 file or a child's environment.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Never pass it to a log, an error, an argument list or a record. */
  open(): string {
    return this.#value
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }
}

/**
 * Replaces every known secret in a text: as it is, line by line, and as JSON, URLs and base64 write it, also inside
 * something longer (`Basic …` has a user before the password). Longest first, so that a secret inside another leaves
 * no remainder.
 */
export function scrub(text: string, secrets: Iterable<Secret>): string {
  const forms = new Set([...secrets].flatMap(formsOf))
  for (const form of [...forms].sort((a, b) => b.length - a.length)) {
    text = text.replaceAll(form, REDACTED)
  }
  return scrubUrlCredentials(text)
}

/** `postgres://user:word@host` to `postgres://user:[REDACTED]@host`, whether the password is known or not. */
export function scrubUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s/?#]+@/gi, `$1:${REDACTED}@`)
}

/** A command may print a hundred thousand lines, and its secrets stay the same. */
const known = new WeakMap<Secret, readonly string[]>()

function formsOf(secret: Secret): readonly string[] {
  const found = known.get(secret)
  if (found !== undefined) return found
  const value = secret.open()
  const forms =
    value.length < SHORTEST_VALUE ? [] : [value, ...lines(value), ...encoded(value), ...Array.from(base64(value))]
  known.set(secret, forms)
  return forms
}

function lines(value: string): string[] {
  const parts = value.split(/\r?\n/).filter((line) => line.length >= SHORTEST_PIECE)
  return parts.length > 1 ? parts : parts.filter((line) => line !== value)
}

function encoded(value: string): string[] {
  const percent = encodeURIComponent(value.toWellFormed())
  const form = new URLSearchParams({ value }).toString().slice('value='.length)
  const url = new URL('http://host')
  url.password = value
  const all = [percent, form, url.password, JSON.stringify(value).slice(1, -1)]
  return [...all, ...all.map((text) => text.replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()))]
}

/** Alone, and at each of the three places that bytes of something longer can begin at; without what those share with it. */
function* base64(value: string): Generator<string> {
  const bytes = Buffer.from(value)
  for (const encoding of ['base64', 'base64url'] as const) {
    yield bytes.toString(encoding)
    for (const before of [0, 1, 2]) {
      const text = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding)
      const core = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
      if (core.length >= SHORTEST_PIECE) yield core
    }
  }
}

import { inspect } from 'node:util'

const REDACTED = '[REDACTED]'

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

/** Replaces every known secret in a text, longest first so that a secret inside another leaves no remainder. */
export function scrub(text: string, secrets: Iterable<Secret>): string {
  const values = [...secrets].map((s) => s.open()).filter((value) => value.length >= 4)
  for (const value of values.sort((a, b) => b.length - a.length)) {
    for (const form of new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), Buffer.from(value).toString('base64')])) {
      text = text.replaceAll(form, REDACTED)
    }
  }
  return scrubUrlCredentials(text)
}

/** `postgres://user:word@host` to `postgres://user:[REDACTED]@host`, whether the password is known or not. */
export function scrubUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*):[^\s/?#@]+@/gi, `$1:${REDACTED}@`)
}

import { scrub } from '../secrets/secret.ts'
import type { Secret } from '../secrets/secret.ts'

/** What a command says: handed on line by line without secrets, and its end kept for explaining a failure. */
export interface Transcript {
  readonly add: (line: string) => void
  /** A text of ours without the command's secrets. */
  readonly clean: (text: string) => string
  /** The last lines that say anything, oldest first. */
  last(): readonly string[]
}

const KEPT_LINES = 12
const LONGEST_LINE = 400

export function transcript(secrets: readonly Secret[], onLine: (line: string) => void): Transcript {
  const kept: string[] = []
  const clean = (text: string): string => scrub(text, secrets)
  return {
    clean,
    add(raw) {
      const line = clean(raw)
      onLine(line)
      if (line.trim() === '') return
      kept.push(line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} …` : line)
      if (kept.length > KEPT_LINES) kept.shift()
    },
    last: () => kept,
  }
}

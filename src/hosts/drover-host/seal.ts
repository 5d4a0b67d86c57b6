import { createHash } from 'node:crypto'

const DIGITS = 16
const SEAL = new RegExp(`^# As laid: [0-9a-f]{${DIGITS}}\\n`, 'm')

/**
 * The text of a unit with a second line that names the rest, so that one that a person has edited can be told from one
 * that an older Drover has laid.
 */
export function sealed(text: string): string {
  return text.replace('\n', () => `\n# As laid: ${digestOf(text)}\n`)
}

/** Whether nobody has edited it since. */
export function isSealed(text: string): boolean {
  const bare = text.replace(SEAL, '')
  return bare !== text && sealed(bare) === text
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGITS)
}

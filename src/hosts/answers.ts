/** What the script of `script.ts` says on its stdout, one answer per line. */
export type Answer =
  | {
      readonly kind: 'ran'
      readonly index: number
      readonly exitCode: number
      readonly stdout: string
      readonly stderr: string
    }
  /** Operation `index` failed; -1 is the fence itself. */
  | { readonly kind: 'failed'; readonly index: number; readonly exitCode: number }
  /** A higher number has been seen on this host. */
  | { readonly kind: 'fenced'; readonly seen: number }
  /** Commands of an older number did not end in time. */
  | { readonly kind: 'busy' }
  /** The fence file does not hold a number. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'missing'; readonly program: string }
  | { readonly kind: 'done' }

/** The answers that were whole; a line that is none of them is left out. */
export function readAnswers(stdout: string): Answer[] {
  return stdout
    .split('\n')
    .map(readAnswer)
    .filter((answer) => answer !== undefined)
}

export function readAnswer(line: string): Answer | undefined {
  const [kind, first = '', second = '', third = '', fourth = ''] = line.split(' ')
  switch (kind) {
    case 'ran':
      return { kind, index: Number(first), exitCode: Number(second), stdout: decode(third), stderr: decode(fourth) }
    case 'failed':
      return { kind, index: first === 'fence' ? -1 : Number(first), exitCode: Number(second) }
    case 'fenced':
      return { kind, seen: Number(first) }
    case 'missing':
      return { kind, program: first }
    case 'busy':
    case 'broken':
    case 'done':
      return { kind }
    default:
      return undefined
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}

/** What relay.pl says of a command; `bytes` go with `out` and `err`, whose number is how many. */
export interface RelayAnswer {
  readonly id: string
  readonly what: (typeof WORDS)[number]
  readonly number: number
  readonly bytes: Buffer
}

interface Listeners {
  /** The relay runs. */
  readonly onOpen: () => void
  readonly onAnswer: (answer: RelayAnswer) => void
  /** Something came that no relay says; nothing after it is read. */
  readonly onGarbage: () => void
}

const WORDS = ['begin', 'missing', 'out', 'err', 'exit', 'signal'] as const
const LONGEST_HEAD = 100
const NONE = Buffer.alloc(0)

/** Takes bytes as they come, cut anywhere. What a login shell says before the line with the mark is left out. */
export function relayAnswers(mark: string, { onOpen, onAnswer, onGarbage }: Listeners): { push(chunk: Buffer): void } {
  const opening = Buffer.from(`${mark} begin\n`)
  let state: 'closed' | 'open' | 'garbage' = 'closed'
  let rest: Buffer = NONE

  function open(): boolean {
    const at = rest.indexOf(opening)
    if (at === -1) {
      // A mark may have come in part.
      rest = rest.subarray(Math.max(0, rest.length - opening.length))
      return false
    }
    rest = rest.subarray(at + opening.length)
    state = 'open'
    onOpen()
    return true
  }

  function next(): boolean {
    const end = rest.subarray(0, LONGEST_HEAD).indexOf('\n')
    if (end === -1) return rest.length < LONGEST_HEAD ? false : giveUp()
    const [, id, said, number] = /^(\d+) ([a-z]+) (\d+)$/.exec(rest.subarray(0, end).toString()) ?? []
    const what = WORDS.find((word) => word === said)
    if (id === undefined || what === undefined) return giveUp()
    const size = what === 'out' || what === 'err' ? Number(number) : 0
    const bytes = rest.subarray(end + 1, end + 1 + size)
    if (bytes.length < size) return false
    rest = rest.subarray(end + 1 + size)
    onAnswer({ id, what, number: Number(number), bytes })
    return true
  }

  function giveUp(): false {
    state = 'garbage'
    onGarbage()
    return false
  }

  return {
    push(chunk) {
      if (state === 'garbage') return
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      if (state === 'closed' && !open()) return
      while (next()) continue
    },
  }
}

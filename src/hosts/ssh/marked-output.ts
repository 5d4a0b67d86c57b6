import type { RunOptions } from '../host.ts'

/** What the scripts of wrapper.ts have told so far, on lines of their own among the output. */
export interface MarkedOutput {
  /** Number of the process group of the command, once it began. */
  readonly group: number | undefined
  readonly missing: 'folder' | 'program' | undefined
  /** As `$?` of a shell gives it: 128 and the number of the signal for a death by signal. */
  readonly status: number | undefined
  /** Both streams were told to be complete; what comes later is of a daemon that holds them open. */
  readonly complete: boolean
  readonly onLine: NonNullable<RunOptions['onLine']>
}

interface Listeners {
  readonly onLine?: RunOptions['onLine']
  readonly onBegin: () => void
  readonly onComplete: () => void
}

/** Sorts lines as they come: noise of a login shell before the marks, output, marks. */
export function markedOutput(mark: string, { onLine, onBegin, onComplete }: Listeners): MarkedOutput {
  const heard: { group?: number; missing?: 'folder' | 'program'; status?: number } = {}
  const place = { stdout: 'before', stderr: 'before' } as Record<'stdout' | 'stderr', 'before' | 'in' | 'after'>

  function begin(stream: 'stdout' | 'stderr', rest: string): void {
    place[stream] = 'in'
    if (stream === 'stderr') {
      heard.group = Number(rest)
      onBegin()
    }
  }

  function end(stream: 'stdout' | 'stderr', rest: string): void {
    place[stream] = 'after'
    if (stream === 'stderr') heard.status = Number(rest)
    if (place.stdout === 'after' && place.stderr === 'after') onComplete()
  }

  return {
    get group() {
      return heard.group
    },
    get missing() {
      return heard.missing
    },
    get status() {
      return heard.status
    },
    get complete() {
      return place.stdout === 'after' && place.stderr === 'after'
    },
    onLine(line, stream) {
      if (place[stream] === 'after') return
      const at = line.lastIndexOf(`${mark} `)
      const [what, rest = ''] = at === -1 ? [] : line.slice(at + mark.length + 1).split(' ')
      if (place[stream] === 'before') {
        if (what === 'begin') begin(stream, rest)
        return
      }
      // Output that lacks its last newline stands before the mark, on the same line.
      const said = at === -1 ? line : line.slice(0, at)
      if (at === -1 || said !== '') onLine?.(said, stream)
      if (what === 'missing') heard.missing = rest === 'folder' ? 'folder' : 'program'
      if (what === 'end') end(stream, rest)
    },
  }
}

/** The output between the marks; without a mark at the end (the connection was lost) all that came. */
export function between(text: string, mark: string): string {
  const begin = text.indexOf(`${mark} begin`)
  if (begin === -1) return ''
  const start = text.indexOf('\n', begin) + 1
  const end = text.lastIndexOf(`${mark} end`)
  return start === 0 ? '' : text.slice(start, end < start ? undefined : end)
}

const LEFT_OUT = /\n\[(\d+) bytes left out\]\n/

/** Head and tail of an output that was kept with some room to spare for noise and marks. */
export function shorten(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  const half = Math.floor(maxBytes / 2)
  const middle = bytes.subarray(half, bytes.length - half).toString()
  const note = LEFT_OUT.exec(middle)
  const missing = bytes.length - 2 * half + (note === null ? 0 : Number(note[1]) - note[0].length)
  return `${bytes.subarray(0, half).toString()}\n[${missing} bytes left out]\n${bytes.subarray(bytes.length - half).toString()}`
}

import { StringDecoder } from 'node:string_decoder'

/** A program that never writes a newline must not fill the memory: a longer line is handed on in pieces. */
const LONGEST_LINE = 64 * 1024

export interface LineSplitter {
  /** Bytes as they come, cut anywhere. */
  push(chunk: Buffer): void
  /** The last line, when it had no newline. */
  end(): void
}

/** Cuts a stream of UTF-8 bytes into lines without their line ends. */
export function lineSplitter(onLine: (line: string) => void): LineSplitter {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return {
    push(chunk) {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
      }
      while (rest.length > LONGEST_LINE) {
        onLine(rest.slice(0, LONGEST_LINE))
        rest = rest.slice(LONGEST_LINE)
      }
    },
    end() {
      rest += decoder.end()
      if (rest !== '') {
        onLine(rest)
      }
      rest = ''
    },
  }
}

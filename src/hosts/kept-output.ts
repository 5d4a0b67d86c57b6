/** Keeps the head and the tail of a stream; what a command says first and last is what explains its end. */
export interface KeptOutput {
  push(chunk: Buffer): void
  text(): string
}

/** At most `maxBytes` are kept, half from the start and half from the end. */
export function keptOutput(maxBytes: number): KeptOutput {
  const half = Math.floor(maxBytes / 2)
  const head: Buffer[] = []
  const tail: Buffer[] = []
  let headBytes = 0
  let tailBytes = 0
  let leftOut = 0

  function pushTail(chunk: Buffer): void {
    tail.push(chunk)
    tailBytes += chunk.length
    while (tail[0] !== undefined && tailBytes - tail[0].length >= half) {
      tailBytes -= tail[0].length
      leftOut += tail[0].length
      tail.shift()
    }
  }

  return {
    push(chunk) {
      const room = half - headBytes
      if (room > 0) {
        head.push(chunk.subarray(0, room))
        headBytes += Math.min(room, chunk.length)
      }
      if (chunk.length > room) {
        pushTail(chunk.subarray(room))
      }
    },
    text() {
      const end = Buffer.concat(tail)
      const cut = Math.max(0, end.length - half)
      const missing = leftOut + cut
      const middle = missing === 0 ? '' : `\n[${missing} bytes left out]\n`
      return Buffer.concat(head).toString() + middle + end.subarray(cut).toString()
    },
  }
}

/** One server-sent event. */
export interface ServerSentEvent {
  readonly id?: string
  readonly event: string
  readonly data: string
}

/** The events of a stream, however its bytes are cut. An event that the end cuts off is dropped, as the standard says. */
export async function* serverSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let waiting = ''
  for await (const bytes of body) {
    const text = decoder.decode(bytes, { stream: true })
    // A \r at the end may be the first half of a \r\n.
    const blocks = (waiting + text).split(/\r\n\r\n|\n\n|\r\r(?!\n)/)
    waiting = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = parse(block)
      if (event !== undefined) yield event
    }
  }
}

function parse(block: string): ServerSentEvent | undefined {
  let id: string | undefined
  let event = 'message'
  const data: string[] = []
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id') id = value
  }
  if (data.length === 0) return undefined
  return { event, data: data.join('\n'), ...(id === undefined ? {} : { id }) }
}

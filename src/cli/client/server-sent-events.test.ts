import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serverSentEvents } from './server-sent-events.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

async function eventsOf(chunks: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
  return Array.fromAsync(serverSentEvents(ReadableStream.from(chunks)))
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

const STREAM =
  ': hello\n\nid: 1\nevent: phase\ndata: {"ü":"🐄"}\n\ndata: one\ndata: two\n\nevent:note\ndata:x: y\n\n: still here\n\n'
const EVENTS = [
  { id: '1', event: 'phase', data: '{"ü":"🐄"}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'note', data: 'x: y' },
]

describe('server-sent events', () => {
  it('are read however the bytes are cut', async () => {
    const all = bytes(STREAM)

    for (let size = 1; size <= all.length; size++) {
      const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
        all.slice(at * size, (at + 1) * size),
      )

      assert.deepEqual(await eventsOf(chunks), EVENTS, `in pieces of ${size}`)
    }
  })

  it('may end their lines like other systems do', async () => {
    assert.deepEqual(await eventsOf([bytes(STREAM.replaceAll('\n', '\r\n'))]), EVENTS)
  })

  it('that the end cuts off are dropped', async () => {
    assert.deepEqual(await eventsOf([bytes(`${STREAM}id: 9\nevent: ended\ndata: {"half`)]), EVENTS)
  })
})

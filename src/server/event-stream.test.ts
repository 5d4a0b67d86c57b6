import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { eventStream } from './event-stream.ts'
import type { Message } from './event-stream.ts'
import { STAGING, deployOf, eventsOf, testingClient } from './testing-client.ts'

const closing = new AbortController().signal

function answerTo(): never {
  throw new Error('no failure was expected')
}

describe('the events of a release', () => {
  it('can be taken up after any of them', async () => {
    const client = testingClient()
    await client.post(`${STAGING}/releases`, deployOf('main'))
    const all = await eventsOf(await client.get(`${STAGING}/releases/1/events`))
    const middle = all[Math.floor(all.length / 2)]!

    const rest = await eventsOf(await client.get(`${STAGING}/releases/1/events`, { 'last-event-id': middle.id! }))

    assert.ok(all.length > 10)
    assert.deepEqual(rest, all.slice(all.indexOf(middle) + 1))
  })

  it('end at once for a client that has seen the end', async () => {
    const client = testingClient()
    await client.post(`${STAGING}/releases`, deployOf('refused'))
    const all = await eventsOf(await client.get(`${STAGING}/releases/1/events`))

    const beforeLast = await eventsOf(
      await client.get(`${STAGING}/releases/1/events`, { 'last-event-id': all.at(-2)!.id! }),
    )

    assert.deepEqual(
      beforeLast.map((event) => event.event),
      ['ended'],
    )
  })

  it('are refused for a position that is none, and for a release that is none', async () => {
    const client = testingClient()

    const position = await client.get(`${STAGING}/releases/1/events`, { 'last-event-id': 'yesterday' })
    const release = await client.get(`${STAGING}/releases/1/events`)

    assert.equal(position.status, 400)
    assert.equal(release.status, 404)
  })
})

describe('a stream', () => {
  it('says that it is alive while nothing happens', async () => {
    const { promise: go, resolve } = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<Message> {
      await go
      yield { id: 1, event: 'note', data: 'at last' }
    }
    const response = await eventStream(slow(), { controller: new AbortController(), closing, heartbeatMs: 5, answerTo })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()

    const first = await reader.read()
    resolve()
    const rest: string[] = []
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest.push(next.value)

    assert.equal(first.value, ': still here\n\n')
    assert.ok(rest.includes('id: 1\nevent: note\ndata: "at last"\n\n'))
  })

  it('ends its source when the client goes', async () => {
    const controller = new AbortController()
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    async function* endless(): AsyncGenerator<Message> {
      try {
        yield { event: 'note', data: 1 }
        await once(controller.signal, 'abort')
      } finally {
        resolve()
      }
    }
    const response = await eventStream(endless(), { controller, closing, heartbeatMs: 60_000, answerTo })
    const reader = response.body!.getReader()
    await reader.read()

    await reader.cancel()
    await ended

    assert.equal(controller.signal.aborted, true)
  })

  it('reads no further ahead than its client', async () => {
    let made = 0
    async function* quick(): AsyncGenerator<Message> {
      for (;;) yield { event: 'line', data: ++made }
    }
    const response = await eventStream(quick(), {
      controller: new AbortController(),
      closing,
      heartbeatMs: 60_000,
      answerTo,
    })
    const reader = response.body!.getReader()

    for (let read = 0; read < 5; read++) await reader.read()

    assert.ok(made <= 7, `${made} were made for 5 that were read`)
    await reader.cancel()
  })
})

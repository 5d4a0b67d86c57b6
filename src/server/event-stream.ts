import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './failures.ts'

/** One server-sent event. */
export interface Message {
  /** What a client sends back as Last-Event-ID. */
  readonly id?: number
  readonly event: string
  readonly data: unknown
}

export interface StreamOptions {
  /** Aborted when the client has gone, so that the source of the messages ends. */
  readonly controller: AbortController
  /** Aborts when the server closes: the stream ends where it is, and a client takes it up again later. */
  readonly closing: AbortSignal
  /** Keeps proxies and clients from taking a quiet stream for a dead one. */
  readonly heartbeatMs: number
  readonly answerTo: (error: unknown) => Answer
}

/** How long the first message is waited for; a refusal until then is an ordinary answer with its own status. */
const FIRST_MS = 250
const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
}

/**
 * Hands messages to one client as fast as it reads them, a comment whenever there was none for a while, and ends
 * with their source. A failure on the way is told as a last event named `failure`.
 */
export async function eventStream(messages: AsyncIterable<Message>, options: StreamOptions): Promise<Response> {
  const { controller, closing, heartbeatMs, answerTo } = options
  const iterator = messages[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<Message>> | undefined = iterator.next()
  await within(pending, FIRST_MS, closing)

  function stop(): void {
    controller.abort()
    // Nobody is left to be told how the source ended.
    pending?.catch(() => {})
    iterator.return?.().catch(() => {})
  }

  async function pull(sink: ReadableStreamDefaultController<string>): Promise<void> {
    try {
      pending ??= iterator.next()
      const next = await within(pending, heartbeatMs, closing)
      if (closing.aborted) {
        stop()
        return sink.close()
      }
      if (next === undefined) return sink.enqueue(': still here\n\n')
      pending = undefined
      if (next.done === true) return sink.close()
      sink.enqueue(encode(next.value))
    } catch (error) {
      if (controller.signal.aborted) return
      sink.enqueue(encode({ event: 'failure', data: answerTo(error).body }))
      sink.close()
    }
  }

  const stream = new ReadableStream<string>({ pull, cancel: stop })
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers: HEADERS })
}

/** The value, or undefined when it takes longer or the signal aborts. */
async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  const given = new AbortController()
  try {
    const late = sleep(ms, undefined, given).catch(() => undefined)
    const closed = once(signal, 'abort', given).then(
      () => undefined,
      () => undefined,
    )
    return await Promise.race([promise, late, closed])
  } finally {
    given.abort()
  }
}

function encode({ id, event, data }: Message): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

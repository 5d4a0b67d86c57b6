import { request as httpRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

/** What concerns one connection only, and what Drover's own parts tell each other. */
const NOT_PASSED_ON = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'x-drover-service',
  'x-drover-peer',
])

/** Where a request is sent on to: a Unix socket of this machine, or a port. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface Sending {
  /** Stands for the request's own body when that has been read already. */
  readonly body?: Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Asks a slot or a peer what a client has asked; the answer is there once its headers are. Rejects when there is no
 * answer.
 */
export function askOn(
  request: IncomingMessage,
  target: Target,
  { body, headers = {} }: Sending = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      ...target,
      method: request.method,
      path: request.url,
      headers: [...passedOn(request.rawHeaders), ...Object.entries(headers).flat()],
      agent: false,
    })
    asked.once('response', resolve)
    asked.once('error', reject)
    request.socket.once('close', () => asked.destroy())
    if (body === undefined) {
      request.pipe(asked)
    } else {
      asked.end(body)
    }
  })
}

/** Passes an answer on as it comes. An answer that breaks off breaks off for the client too. */
export async function passOn(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedOn(answer.rawHeaders))
  await pipeline(answer, response).catch(() => response.destroy())
}

/** Refuses a request; 503 asks the client to come again. */
export function refuseRequest(response: ServerResponse, status: 502 | 503, error: string): void {
  const body = JSON.stringify({ error })
  const again = status === 503 ? { 'retry-after': '1' } : {}
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...again,
  })
  response.end(body)
}

/** Node gives and takes headers as one flat list of names and values, which keeps their order, case and repetitions. */
function passedOn(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !NOT_PASSED_ON.has(rawHeaders[index - (index % 2)]?.toLowerCase() ?? ''))
}

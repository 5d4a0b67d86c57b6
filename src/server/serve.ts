import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'

export interface Served {
  /** Without a slash at the end. */
  readonly url: string
  /** Takes no new request, gives those under way a moment, and ends the streams. */
  close(): Promise<void>
}

export interface ServeOptions {
  readonly app: { readonly fetch: (request: Request) => Response | Promise<Response> }
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: a free one. */
  readonly port?: number
}

const CLOSE_MS = 1_000

/** Serves an app on the loopback interface; anything else would send the token unencrypted over a network. */
export async function serve({ app, host = '127.0.0.1', port = 0 }: ServeOptions): Promise<Served> {
  if (!isLoopback(host)) {
    const hint = 'Serve on 127.0.0.1 and reach it through an SSH tunnel or a reverse proxy with TLS on this machine.'
    throw refusal(
      'server/not-loopback',
      `host ${host}`,
      'is not a loopback address, and the API has no TLS of its own yet',
      hint,
    )
  }
  const listener = getRequestListener((request) => app.fetch(request), { hostname: host })
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
  await listen(server, host, port)
  return { url: urlOf(server, host), close: () => close(server) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`listens on ${address}, which is no port`)
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    const code = errorCode(cause)
    if (code === 'EADDRINUSE') {
      throw refusal(
        'server/port-taken',
        `port ${port}`,
        `another program listens on ${host}:${port}`,
        'Choose another one with --port; 0 takes a free one.',
        { cause },
      )
    }
    if (code === 'EACCES')
      throw refusal(
        'server/port-forbidden',
        `port ${port}`,
        'may not be used by this user',
        'Choose one from 1024 up with --port.',
        { cause },
      )
    throw refusal(
      'server/cannot-listen',
      `${host}:${port}`,
      `cannot be listened on: ${code ?? String(cause)}`,
      undefined,
      { cause },
    )
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const late = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
  await closed
  clearTimeout(late)
}

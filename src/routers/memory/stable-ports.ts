import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorCode } from '../../hosts/error-code.ts'
import { otherSlot } from '../../manifest/fleet.ts'
import type { SlotName } from '../../manifest/fleet.ts'
import { refusal } from '../../problem/problem.ts'
import { askSlot, passOn, refuseRequest } from '../forward.ts'
import type { Route, RouteChoice } from '../router.ts'
import type { State } from './state.ts'

/** Listens on the stable ports of these routes, or on none of them and throws a Refusal. */
export async function listen(state: State, routes: readonly Route[]): Promise<void> {
  const begun: number[] = []
  for (const { service, port } of routes) {
    const server = createServer((request, response) => void serve(state, port, { request, response }))
    server.listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      await closeAll(state, begun)
      if (errorCode(error) !== 'EADDRINUSE') throw error
      throw refusal('routers/port-taken', `service ${service}`, `port ${port} is taken by another process`)
    }
    state.servers.set(port, server)
    begun.push(port)
  }
}

/** Stops listening on these ports; what has begun is finished. */
export async function closeAll(state: State, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = state.servers.get(port)
    state.servers.delete(port)
    if (server === undefined) continue
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    await closed
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
}

/** Decides once the whole request is there: what was live when its first byte came may be gone by then. */
async function serve(state: State, port: number, { request, response }: Omit<Exchange, 'body'>): Promise<void> {
  const at = Date.now()
  const body = Buffer.concat(await request.toArray().catch(() => []))
  const route = state.routes?.find((candidate) => candidate.port === port)
  const pending = state.pending.get(String(request.headers['x-drover-set']))
  const choice = route === undefined ? undefined : (pending ?? state.live)?.choices[route.service]
  const exchange = { request, response, body }
  const rescued =
    route === undefined ? refuse(exchange, 'not released') : await follow(state, { route, choice }, exchange)
  if (route !== undefined && pending === undefined) {
    state.seen.push({ service: route.service, at, ms: Date.now() - at, status: response.statusCode, rescued })
  }
}

interface Way {
  readonly route: Route
  readonly choice: RouteChoice | undefined
}

/** Does what the choice says; true when the other slot had to help. */
async function follow(state: State, { route, choice }: Way, exchange: Exchange): Promise<boolean> {
  if (choice === undefined) return refuse(exchange, 'not released')
  if (choice.hold === true) {
    const port = await waitFor(state, route.service, exchange.response)
    return port === undefined
      ? refuse(exchange, 'not available at the moment')
      : tell(exchange, await ask(exchange, port))
  }
  const first = await ask(exchange, portOf(route, choice.slot))
  if (choice.shielded !== true || !mayRepeat(exchange.request, first)) return tell(exchange, first)
  if (typeof first !== 'string') first.resume()
  const second = await ask(exchange, portOf(route, otherSlot(choice.slot)))
  tell(exchange, second)
  return typeof second !== 'string' && (second.statusCode ?? 502) < 500
}

function waitFor(state: State, service: string, response: ServerResponse): Promise<number | undefined> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  return state.room?.wait(service, left.signal) ?? Promise.resolve(undefined)
}

/** The answer, or the code of the error that stood in its place. */
async function ask({ request, body }: Exchange, port: number): Promise<IncomingMessage | string> {
  return askSlot(request, port, body).catch((error: unknown) => errorCode(error) ?? 'unknown')
}

function tell({ response }: Exchange, answer: IncomingMessage | string): false {
  if (typeof answer === 'string') {
    refuseRequest(response, 502, 'no answer from the service')
  } else {
    void passOn(answer, response)
  }
  return false
}

function refuse({ response }: Exchange, why: string): false {
  refuseRequest(response, 503, why)
  return false
}

/** The rule of nginx: what failed before it was sent, and what is safe to repeat. */
function mayRepeat(request: IncomingMessage, answer: IncomingMessage | string): boolean {
  if (answer === 'ECONNREFUSED') return true
  const failed = typeof answer === 'string' || [500, 502, 503, 504].includes(answer.statusCode ?? 0)
  return failed && !['POST', 'PATCH', 'LOCK'].includes(request.method ?? '')
}

function portOf(route: Route, slot: SlotName): number {
  return route.slotPorts[slot === 'a' ? 0 : 1]
}

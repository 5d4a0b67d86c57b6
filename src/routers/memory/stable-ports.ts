import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { errorCode } from '../../hosts/error-code.ts'
import { otherSlot } from '../../manifest/fleet.ts'
import type { SlotName } from '../../manifest/fleet.ts'
import { refusal } from '../../problem/problem.ts'
import { passOn, refuseRequest } from '../forward.ts'
import type { Target } from '../forward.ts'
import type { Route, RouteChoice, RouteSet, SlotRoute } from '../router.ts'
import { LOOPBACK } from '../listens.ts'
import type { Listen } from '../listens.ts'
import { askFor, mayRepeat } from './exchange.ts'
import type { Answer, Exchange } from './exchange.ts'
import { PEER_HEADER, askPeers } from './peers.ts'
import type { State } from './state.ts'

/** A listen as a key: `127.0.0.1 3080`. */
export type Place = `${string} ${number}`

export function placeOf({ address, port }: Listen): Place {
  return `${address} ${port}`
}

/** Begins all of these, or none of them and throws a Refusal. */
export async function listen(state: State, listens: readonly Listen[]): Promise<void> {
  const begun: Place[] = []
  for (const one of listens) {
    const server = createServer((request, response) => void serve(state, one.port, { request, response }))
    server.listen(one.port, one.address)
    try {
      await once(server, 'listening')
    } catch (error) {
      await closeAll(state, begun)
      throw whyNot(error, one)
    }
    state.servers.set(placeOf(one), server)
    begun.push(placeOf(one))
  }
}

function whyNot(error: unknown, { service, address, port }: Listen): unknown {
  const at = `service ${service}`
  if (errorCode(error) === 'EADDRNOTAVAIL') {
    return refusal('routers/foreign-address', at, `${address} is no IP address of its host`)
  }
  if (errorCode(error) !== 'EADDRINUSE') return error
  const where = address === LOOPBACK ? '' : ` of ${address}`
  return refusal('routers/port-taken', at, `port ${port}${where} is taken by another process`)
}

/** Stops listening at these places; what has begun is finished. */
export async function closeAll(state: State, places: readonly Place[]): Promise<void> {
  for (const place of places) {
    const server = state.servers.get(place)
    state.servers.delete(place)
    if (server === undefined) continue
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    await closed
  }
}

/** Decides once the whole request is there: what was live when its first byte came may be gone by then. */
async function serve(state: State, port: number, { request, response }: Omit<Exchange, 'body'>): Promise<void> {
  const at = Date.now()
  const body = Buffer.concat(await request.toArray().catch(() => []))
  const route = state.routes?.find((candidate) => candidate.port === port)
  const pending = state.pending.get(String(request.headers['x-drover-set']))
  const exchange = { request, response, body }
  const rescued =
    route === undefined ? refuse(exchange, 'not released') : await follow(state, { route, pending }, exchange)
  if (route === undefined || pending !== undefined) return
  const fromPeer = request.socket.localAddress !== LOOPBACK && request.headers[PEER_HEADER] !== undefined
  const { statusCode: status } = response
  state.seen.push({ service: route.service, at, ms: Date.now() - at, status, rescued, fromPeer })
}

interface Way {
  readonly route: Route
  readonly pending: RouteSet | undefined
}

/** Sends the request where it belongs; true when the other slot or another peer had to help. */
async function follow(state: State, { route, pending }: Way, exchange: Exchange): Promise<boolean> {
  if ('slotPorts' in route) {
    return followChoice(state, { route, choice: (pending ?? state.live)?.choices[route.service] }, exchange)
  }
  const { answer, isFirst } = await askPeers(state.peers, route.peers, exchange)
  tell(exchange, answer)
  return !isFirst && isWell(answer)
}

interface Choosing {
  readonly route: SlotRoute
  readonly choice: RouteChoice | undefined
}

/** Does what the choice says; true when the other slot had to help. */
async function followChoice(state: State, { route, choice }: Choosing, exchange: Exchange): Promise<boolean> {
  if (choice === undefined) return refuse(exchange, 'not released')
  if (choice.hold === true) {
    const port = await waitFor(state, route.service, exchange.response)
    return port === undefined
      ? refuse(exchange, 'not available at the moment')
      : tell(exchange, await askFor(exchange, { host: LOOPBACK, port }))
  }
  const first = await askFor(exchange, slotOf(route, choice.slot))
  if (choice.shielded !== true || !mayRepeat(exchange.request, first)) return tell(exchange, first)
  if (typeof first !== 'string') first.resume()
  const second = await askFor(exchange, slotOf(route, otherSlot(choice.slot)))
  tell(exchange, second)
  return isWell(second)
}

function waitFor(state: State, service: string, response: ServerResponse): Promise<number | undefined> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  return state.room?.wait(service, left.signal) ?? Promise.resolve(undefined)
}

function tell({ response }: Exchange, answer: Answer): false {
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

function isWell(answer: Answer): boolean {
  return typeof answer !== 'string' && (answer.statusCode ?? 502) < 500
}

function slotOf(route: SlotRoute, slot: SlotName): Target {
  return { host: LOOPBACK, port: route.slotPorts[slot === 'a' ? 0 : 1] }
}

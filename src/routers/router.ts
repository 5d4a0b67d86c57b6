import type { Host } from '../hosts/host.ts'
import type { Fence, Operation } from '../hosts/operation.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { Secret } from '../secrets/secret.ts'

/** A service's stable port on a host, and who answers there. */
export type Route = SlotRoute | PeerRoute

interface StablePort {
  readonly service: string
  readonly port: number
  /** Addresses of the host on which other hosts reach the port. It always listens on 127.0.0.1. */
  readonly listen?: readonly string[]
}

/** The host runs the service: the live set says which of its two slots answers. */
export interface SlotRoute extends StablePort {
  readonly slotPorts: readonly [a: number, b: number]
}

/**
 * Other hosts run the service, at least one: requests spread over them, whatever set is live here. One that does not
 * answer is left alone for a while; what may be asked twice is asked of the next one meanwhile.
 */
export interface PeerRoute extends StablePort {
  readonly peers: readonly Peer[]
}

export interface Peer {
  /** As the fleet calls it. */
  readonly host: string
  /** One of those that the service's route on that host says in `listen`, or a name that leads to it. */
  readonly address: string
  readonly port: number
}

/**
 * Where requests of a service go while a set is live. `shielded`: a request that the slot fails (refused, reset, 5xx)
 * and that is safe to repeat is answered by the other slot. `hold`: requests wait in the router until the next switch.
 */
export interface RouteChoice {
  readonly slot: SlotName
  readonly shielded?: boolean
  readonly hold?: boolean
}

/** One choice for every service of a release: what the switch makes live as a whole. */
export interface RouteSet {
  /** `[a-z0-9-]+`, unique among the sets of the environment. */
  readonly name: string
  readonly release: number
  readonly choices: Readonly<Record<string, RouteChoice>>
}

export interface RouterReport {
  readonly running: boolean
  /** The set that is live, read from the host; undefined before the first switch. */
  readonly live?: RouteSet
  /** Content name of the shape that the running router has loaded. */
  readonly shape?: string
  /** Paths on the host of files that are not as Drover laid them; absent when all are. `shape` and `lay` repair them. */
  readonly edited?: readonly string[]
}

/**
 * Requests of one service within a window, from what the router itself saw. A request that came through the router of
 * another host is counted there, so that a sum over hosts has it once; here it counts as rescued when it was.
 */
export interface ServiceTraffic {
  readonly requests: number
  /** Answered with 5xx, or not answered, as the client saw it. */
  readonly failed: number
  /** Answered well by the other slot, or another host, after the chosen one had failed. */
  readonly rescued: number
  /** Requests that the chosen slot failed, whatever the client saw: failed and rescued together. */
  readonly slotFailures: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/**
 * How traffic reaches a service. A driver promises: `switch` is one atomic act, closes no connection, and moves every
 * service of the set at once; `shape` touches the running router only when the shape differs, and leaves the old
 * shape running when the new one is refused; a request with the header `x-drover-set: <token>` goes to the pending set of
 * that token instead of the live one, and to the live one once nothing is pending under it; the header travels with a
 * request to another host.
 */
export interface Router {
  readonly name: string
  /** Makes the router run with these routes; a Refusal when a port is taken, or an address is not the host's. */
  shape(host: Host, fence: Fence, routes: readonly Route[]): Promise<{ changed: boolean }>
  /** Lays a set beside the live one; with a token it can be reached by header. */
  lay(host: Host, fence: Fence, set: RouteSet, token?: Secret): Promise<void>
  switch(host: Host, fence: Fence, set: string): Promise<void>
  /**
   * Lays a set, switches to it and forgets every other and every token, in one round trip; with it goes what the caller
   * has to do on the host besides.
   */
  settle(host: Host, fence: Fence, set: RouteSet, besides: readonly Operation[]): Promise<void>
  /** Forgets every set but these, and every token. */
  prune(host: Host, fence: Fence, keep: readonly string[]): Promise<void>
  /**
   * Opens the waiting room for services whose choice is `hold`: their requests wait until `open` is called with the
   * port that now answers, or are refused with 503 when `close` is called first. Opened again before it is closed (by
   * the undo of a release, say), it is the same room: who waits goes on waiting, and no service is let through yet.
   */
  waitingRoom(host: Host, root: string): Promise<WaitingRoom>
  observe(host: Host, root: string): Promise<RouterReport>
  /** Traffic with an arrival in [from, to), milliseconds since the epoch by Drover's clock, per service. */
  traffic(host: Host, root: string, from: number, to: number): Promise<Record<string, ServiceTraffic>>
  teardown(host: Host, fence: Fence): Promise<void>
}

export interface WaitingRoom {
  /** Lets the waiting and all later requests of a service through to this port. */
  open(service: string, port: number): void
  /** How many requests wait. */
  waiting(): number
  close(): Promise<void>
}

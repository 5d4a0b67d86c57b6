import type { Server } from 'node:http'
import type { Route, RouteSet } from '../router.ts'
import type { WaitingQueue } from '../waiting-queue.ts'
import type { PeerMemory } from './peers.ts'
import type { Seen } from './record.ts'
import type { Place } from './stable-ports.ts'

/** What the router knows of one environment on one host. */
export interface State {
  /** The highest number seen. */
  fence: number
  /** undefined: not running. */
  routes: readonly Route[] | undefined
  readonly servers: Map<Place, Server>
  readonly sets: Map<string, RouteSet>
  live: RouteSet | undefined
  /** By token. */
  readonly pending: Map<string, RouteSet>
  room: WaitingQueue | undefined
  readonly peers: PeerMemory
  readonly seen: Seen[]
}

export function emptyState(): State {
  return {
    fence: 0,
    routes: undefined,
    servers: new Map(),
    sets: new Map(),
    live: undefined,
    pending: new Map(),
    room: undefined,
    peers: new Map(),
    seen: [],
  }
}

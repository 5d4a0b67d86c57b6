import { isDeepStrictEqual } from 'node:util'
import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { refusal } from '../../problem/problem.ts'
import type { Secret } from '../../secrets/secret.ts'
import { listensOf } from '../listens.ts'
import type { Route, Router, RouteSet } from '../router.ts'
import { waitingQueue } from '../waiting-queue.ts'
import { addUp } from './record.ts'
import { closeAll, listen, placeOf } from './stable-ports.ts'
import { emptyState } from './state.ts'
import type { State } from './state.ts'

/**
 * A router inside this process, with real ports and real requests, for tests of what stands above the port. What it
 * knows is gone with the process. Each call gives a router of its own. `listens: false`: without ports, because the hosts
 * of one process would have the same ones.
 */
export function memoryRouter({ listens = true }: { readonly listens?: boolean } = {}): Router {
  const states = new Map<string, State>()

  function stateOf(host: Host, root: string): State {
    const key = `${host.name}\n${root}`
    const state = states.get(key) ?? emptyState()
    states.set(key, state)
    return state
  }

  /** The state, when the fence lets this number through. */
  function enter(host: Host, fence: Fence): State {
    const state = stateOf(host, fence.root)
    if (fence.number < state.fence) {
      throw refusal(
        'hosts/fenced',
        `host ${host.name}`,
        `release ${fence.number} may not change ${fence.root}: release ${state.fence} has taken over`,
      )
    }
    state.fence = fence.number
    return state
  }

  return {
    name: 'memory',
    shape: async (host, fence, routes) => ({ changed: await shape(enter(host, fence), routes, listens) }),
    lay: async (host, fence, set, token) => lay(enter(host, fence), set, token),
    switch: async (host, fence, name) => {
      const state = enter(host, fence)
      state.live = known(state, name)
    },
    settle: async (host, fence, set, besides) => {
      const state = enter(host, fence)
      lay(state, set)
      state.live = set
      prune(state, [])
      if (besides.length > 0) await act(host, fence, besides)
    },
    prune: async (host, fence, keep) => prune(enter(host, fence), keep),
    waitingRoom: async (host, root) => {
      const state = stateOf(host, root)
      const room = state.room ?? waitingQueue()
      room.shut()
      state.room = room
      return {
        open: (service, port) => room.open(service, port),
        waiting: () => room.waiting(),
        close: async () => {
          room.close()
          if (state.room === room) state.room = undefined
        },
      }
    },
    observe: async (host, root) => {
      const { live, servers, routes } = stateOf(host, root)
      return {
        running: routes !== undefined,
        ...(live === undefined ? {} : { live }),
        ...(routes === undefined ? {} : { shape: [...servers.keys()].sort().join(' ') }),
      }
    },
    traffic: async (host, root, from, to) => addUp(stateOf(host, root).seen, { from, to }),
    teardown: async (host, fence) => {
      const state = enter(host, fence)
      state.room?.close()
      await closeAll(state, [...state.servers.keys()])
      states.set(`${host.name}\n${fence.root}`, { ...emptyState(), fence: fence.number })
    },
  }
}

async function shape(state: State, routes: readonly Route[], listens: boolean): Promise<boolean> {
  if (isDeepStrictEqual(state.routes, routes)) return false
  const wanted = listens ? routes.flatMap(listensOf) : []
  const places = new Set(wanted.map(placeOf))
  await listen(
    state,
    wanted.filter((one) => !state.servers.has(placeOf(one))),
  )
  await closeAll(
    state,
    [...state.servers.keys()].filter((place) => !places.has(place)),
  )
  state.routes = routes
  return true
}

function lay(state: State, set: RouteSet, token?: Secret): void {
  const there = state.sets.get(set.name)
  if (there !== undefined && !isDeepStrictEqual(there, set)) {
    throw refusal('routers/set-differs', `set ${set.name}`, `another set named ${set.name} is on the host`)
  }
  state.sets.set(set.name, set)
  if (token !== undefined) state.pending.set(token.open(), set)
}

function prune(state: State, keep: readonly string[]): void {
  state.pending.clear()
  for (const name of state.sets.keys()) {
    if (name !== state.live?.name && !keep.includes(name)) state.sets.delete(name)
  }
}

function known(state: State, name: string): RouteSet {
  const set = state.sets.get(name)
  if (set === undefined) throw refusal('routers/no-set', `set ${name}`, `there is no set ${name} on the host`)
  return set
}

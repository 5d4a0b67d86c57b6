import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../../hosts/host.ts'
import { askOn, passOn, refuseRequest } from '../forward.ts'
import type { WaitingRoom } from '../router.ts'
import { waitingQueue } from '../waiting-queue.ts'
import type { WaitingLimits, WaitingQueue } from '../waiting-queue.ts'
import { openDoor } from './door.ts'
import type { Door } from './door.ts'

const DOOR_MS = 50

/**
 * Makes the waiting room at a socket of a host, or gives the one that this function has made there and nobody has
 * closed.
 */
export type Rooms = (host: Host, socket: string) => Promise<WaitingRoom>

export function waitingRooms(limits: WaitingLimits = {}): Rooms {
  const hosts = new WeakMap<Host, Map<string, Promise<OpenRoom>>>()
  return async (host, socket) => {
    const rooms = hosts.get(host) ?? new Map<string, Promise<OpenRoom>>()
    hosts.set(host, rooms)
    const there = rooms.get(socket)
    if (there !== undefined) {
      const { room, queue } = await there
      queue.shut()
      return room
    }
    const forget = (): void => void rooms.delete(socket)
    const opening = openRoom((server) => openDoor(server, host, socket), { limits, onClose: forget })
    rooms.set(socket, opening)
    opening.catch(forget)
    return (await opening).room
  }
}

interface OpenRoom {
  readonly room: WaitingRoom
  readonly queue: WaitingQueue
}

/**
 * The waiting room behind a Unix socket. nginx passes it the requests of services on hold, each with its service's name
 * in `x-drover-service`; the room forwards them to the port that is opened for the service. A body stays in the sockets'
 * buffers until then, so that waiting costs next to no memory.
 *
 * `close` returns once nobody waits and nobody can come; requests that were let through run on to their end. Those that
 * nginx had sent here in mind, but whose bodies it was still reading, find no room and go where the live set says.
 */
async function openRoom(
  open: (server: Server) => Promise<Door>,
  { limits, onClose }: { limits: WaitingLimits; onClose: () => void },
): Promise<OpenRoom> {
  const queue = waitingQueue(limits)
  // A request may take as long as it likes once it is through: what limits it is nginx.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void serve({ queue, door }, request, response)
  })
  const door = open(server)
  await door
  const close = async (): Promise<void> => {
    onClose()
    queue.close()
    await (await door).shut()
    // Nobody finds the way here any more; who stands at the door already is let in.
    await sleep(DOOR_MS)
    server.close(() => void door.then((open) => open.remove()))
  }
  let closed: Promise<void> | undefined
  const room: WaitingRoom = {
    open: (service, port) => queue.open(service, port),
    waiting: () => queue.waiting(),
    close: () => (closed ??= close()),
  }
  return { room, queue }
}

async function serve(
  { queue, door }: { readonly queue: WaitingQueue; readonly door: Promise<Door> },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  const port = await queue.wait(String(request.headers['x-drover-service']), left.signal)
  if (port === undefined) return refuseRequest(response, 503, 'not available at the moment')
  const way = await door.then((open) => open.way(port)).catch(() => undefined)
  const answer = way === undefined ? undefined : await askOn(request, way).catch(() => undefined)
  if (answer === undefined) return refuseRequest(response, 502, 'no answer from the service')
  await passOn(answer, response)
}

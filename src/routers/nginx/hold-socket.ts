import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import { errorCode } from '../../hosts/error-code.ts'
import { askOn, passOn, refuseRequest } from '../forward.ts'
import type { WaitingRoom } from '../router.ts'
import { waitingQueue } from '../waiting-queue.ts'
import type { WaitingLimits, WaitingQueue } from '../waiting-queue.ts'

const DOOR_MS = 50

/** Makes the waiting room at a socket, or gives the one that this function has made there and nobody has closed. */
export type Rooms = (socket: string) => Promise<WaitingRoom>

export function waitingRooms(limits: WaitingLimits = {}): Rooms {
  const rooms = new Map<string, Promise<OpenRoom>>()
  return async (socket) => {
    const there = rooms.get(socket)
    if (there !== undefined) {
      const { room, queue } = await there
      queue.shut()
      return room
    }
    const opening = openRoom(socket, { limits, onClose: () => rooms.delete(socket) })
    rooms.set(socket, opening)
    opening.catch(() => rooms.delete(socket))
    return (await opening).room
  }
}

interface OpenRoom {
  readonly room: WaitingRoom
  readonly queue: WaitingQueue
}

/**
 * The waiting room behind a Unix socket of this machine. nginx passes it the requests of services on hold, each with
 * its service's name in `x-drover-service`; the room forwards them to the port that is opened for the service. A body
 * stays in the sockets' buffers until then, so that waiting costs next to no memory.
 *
 * `close` returns once nobody waits and nobody can come; requests that were let through run on to their end. Those that
 * nginx had sent here in mind, but whose bodies it was still reading, find no room and go where the live set says.
 */
async function openRoom(
  socket: string,
  { limits, onClose }: { limits: WaitingLimits; onClose: () => void },
): Promise<OpenRoom> {
  const queue = waitingQueue(limits)
  // A request may take as long as it likes once it is through: what limits it is nginx.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void serve(queue, request, response)
  })
  const release = await listenAt(server, socket)
  const close = async (): Promise<void> => {
    onClose()
    queue.close()
    await release()
    // Nobody finds the way here any more; who stands at the door already is let in.
    await sleep(DOOR_MS)
    server.close()
  }
  let closed: Promise<void> | undefined
  const room: WaitingRoom = {
    open: (service, port) => queue.open(service, port),
    waiting: () => queue.waiting(),
    close: () => (closed ??= close()),
  }
  return { room, queue }
}

async function serve(queue: WaitingQueue, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  const port = await queue.wait(String(request.headers['x-drover-service']), left.signal)
  if (port === undefined) return refuseRequest(response, 503, 'not available at the moment')
  const answer = await askOn(request, { host: '127.0.0.1', port }).catch(() => undefined)
  if (answer === undefined) return refuseRequest(response, 502, 'no answer from the service')
  await passOn(answer, response)
}

/**
 * Takes the place of whatever is at the path, without a moment in which nothing is there: a room that a killed Drover
 * left, or that another Drover still has. Gives a function that clears the path unless someone has taken it since.
 */
async function listenAt(server: Server, path: string): Promise<() => Promise<void>> {
  const folder = await openFolder(dirname(path))
  // The kernel takes paths of up to 107 bytes for a socket; through the open folder, every path is a short one.
  const own = `${basename(path)}.${randomUUID().slice(0, 8)}`
  server.listen({ path: `/proc/self/fd/${folder.fd}/${own}`, readableAll: true, writableAll: true })
  await once(server, 'listening')
  const { ino } = await stat(join(dirname(path), own))
  await rename(join(dirname(path), own), path)
  return async () => {
    const there = await stat(path).catch(() => undefined)
    if (there?.ino === ino) await rm(path, { force: true })
    await folder.close()
  }
}

async function openFolder(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    throw refusal('routers/no-router', path, 'there is no router here to wait behind', 'Shape the router first.')
  }
}

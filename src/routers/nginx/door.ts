import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { mkdtemp, open, rename, rm, stat } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { errorCode } from '../../hosts/error-code.ts'
import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import type { Target } from '../forward.ts'

/** How nginx of a host comes into the waiting room, and how one gets from there to the ports of the host. */
export interface Door {
  way(port: number): Promise<Target>
  /** Nobody finds it any more; who has come through it goes on. */
  shut(): Promise<void>
  /** Also what `way` has opened. */
  remove(): Promise<void>
}

/**
 * Takes the place of whatever is at the socket's path, without a moment in which nothing is there: a room that a killed
 * Drover left, or that another Drover still has.
 */
export async function openDoor(server: Server, host: Host, socket: string): Promise<Door> {
  if (host.tunnel === undefined) return localDoor(server, socket)
  const folder = await mkdtemp(join(tmpdir(), 'drover-room-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const localSocket = join(folder, 'room.sock')
    server.listen(localSocket)
    await once(server, 'listening')
    const tunnel = await host.tunnel({ socket, localSocket })
    return {
      way: async (port) => ({ socketPath: await tunnel.reach(port) }),
      shut: () => tunnel.shut(),
      async remove() {
        await tunnel.close()
        await remove()
      },
    }
  } catch (error) {
    server.close()
    await remove()
    throw error
  }
}

async function localDoor(server: Server, path: string): Promise<Door> {
  const folder = await openFolder(dirname(path))
  // The kernel takes paths of up to 107 bytes for a socket; through the open folder, every path is a short one.
  const own = `${basename(path)}.${randomUUID().slice(0, 8)}`
  server.listen({ path: `/proc/self/fd/${folder.fd}/${own}`, readableAll: true, writableAll: true })
  await once(server, 'listening')
  const { ino } = await stat(join(dirname(path), own))
  await rename(join(dirname(path), own), path)
  return {
    way: (port) => Promise.resolve({ host: '127.0.0.1', port }),
    // The path may be somebody else's since.
    async shut() {
      const there = await stat(path).catch(() => undefined)
      if (there?.ino === ino) await rm(path, { force: true })
      await folder.close()
    },
    remove: () => Promise.resolve(),
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

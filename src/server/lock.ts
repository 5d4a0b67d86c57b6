import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'
import { prepareHome, readAddress } from './home.ts'
import type { Home } from './home.ts'

export interface Lock {
  release(): Promise<void>
}

/**
 * Makes this process the only one that serves the home, until it releases the lock or ends. The lock is a socket name
 * in Linux's abstract namespace: binding it is atomic, and the kernel takes it back from a killed process, so that nothing stale is ever left to be judged.
 */
export async function lockHome(home: Home): Promise<Lock> {
  await prepareHome(home)
  const server = createServer((connection) => connection.destroy())
  try {
    server.listen({ path: await socketName(home) })
    await once(server, 'listening')
  } catch (cause) {
    if (errorCode(cause) === 'EADDRINUSE') throw await inUse(home, cause)
    throw cause
  }
  return {
    release: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

/** The same for every spelling of the folder's path; hashed, because a socket's name holds 107 bytes. */
async function socketName(home: Home): Promise<string> {
  return `\0drover-${createHash('sha256')
    .update(await realpath(home.folder))
    .digest('hex')}`
}

async function inUse(home: Home, cause: unknown): Promise<Error> {
  const holder = await readAddress(home)
  const who =
    holder === undefined
      ? 'another control plane, which is just starting'
      : `the control plane with process id ${holder.pid} at ${holder.url}`
  return refusal(
    'server/home-in-use',
    home.folder,
    `is served by ${who}`,
    'Stop it with `drover stop`, or set DROVER_HOME to another folder.',
    { cause },
  )
}

/** Whether a process holds the lock of the home, be it still starting. */
export async function homeIsServed(home: Home): Promise<boolean> {
  const connection = connect({ path: await socketName(home) })
  try {
    await once(connection, 'connect')
    return true
  } catch {
    return false
  } finally {
    connection.destroy()
  }
}

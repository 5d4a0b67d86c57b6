import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from '../src/hosts/error-code.ts'
import { CHECKOUT } from './place.ts'

/**
 * Does work of this name in one process of the machine at a time; the others wait. The lock is a socket with a name and
 * no file (unix(7), "abstract"), so that whoever is killed lets go of it.
 */
export async function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  const release = await take(`\0drover-lab-${CHECKOUT}-${name}`)
  try {
    return await work()
  } finally {
    await release()
  }
}

async function take(socket: string): Promise<() => Promise<void>> {
  for (;;) {
    const server = createServer()
    try {
      server.listen(socket)
      await once(server, 'listening')
      return async () => {
        server.close()
        await once(server, 'close')
      }
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error
      await sleep(100)
    }
  }
}

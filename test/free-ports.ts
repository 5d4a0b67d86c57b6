import { createServer } from 'node:net'

/** Below the ports that the kernel gives to outgoing connections, any of which could take one before it is used. */
const FIRST = 20_000
const SLICES = 100
const SLICE = 120
let next = 0

/**
 * Ports of 127.0.0.1 that nobody listens on. Each process of tests has a slice of its own, so that two that run side by side do
 * not give out the same.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === 2 * SLICE) throw new Error(`no ${count} free ports from ${FIRST} on`)
    const port = FIRST + (process.pid % SLICES) * SLICE + (next++ % SLICE)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

import type { WaitingRoom } from './router.ts'

export interface WaitingLimits {
  /** More requests than this do not wait, they are refused at once. Default 1000. */
  readonly maxWaiting?: number
  /** A request that has waited this long is refused. Default 30 s. */
  readonly maxWaitMs?: number
}

/** The waiting room without a transport: who waits for which service, and what becomes of them. */
export interface WaitingQueue extends Omit<WaitingRoom, 'close'> {
  /** The port to go to; undefined for: not today (room full, waited too long, room closed, or the client left). */
  wait(service: string, left: AbortSignal): Promise<number | undefined>
  /** No service is let through any more until it is opened again; who waits goes on waiting. */
  shut(): void
  /** Refuses everyone who waits, and everyone who comes for a service that has not been opened. */
  close(): void
}

export function waitingQueue({ maxWaiting = 1000, maxWaitMs = 30_000 }: WaitingLimits = {}): WaitingQueue {
  const openPorts = new Map<string, number>()
  const waiting = new Map<string, Set<(port: number | undefined) => void>>()
  let count = 0
  let closed = false

  return {
    wait(service, left) {
      const port = openPorts.get(service)
      if (port !== undefined) return Promise.resolve(port)
      if (closed || left.aborted || count >= maxWaiting) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        const queue = waiting.get(service) ?? new Set()
        waiting.set(service, queue)
        const leave = (port: number | undefined): void => {
          if (!queue.delete(leave)) return
          count -= 1
          clearTimeout(timer)
          left.removeEventListener('abort', giveUp)
          resolve(port)
        }
        const giveUp = (): void => leave(undefined)
        const timer = setTimeout(giveUp, maxWaitMs)
        left.addEventListener('abort', giveUp, { once: true })
        queue.add(leave)
        count += 1
      })
    },
    open(service, port) {
      openPorts.set(service, port)
      for (const leave of waiting.get(service) ?? []) leave(port)
    },
    waiting: () => count,
    shut: () => openPorts.clear(),
    close() {
      closed = true
      for (const leave of [...waiting.values()].flatMap((queue) => [...queue])) leave(undefined)
    },
  }
}

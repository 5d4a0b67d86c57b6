import { EventEmitter, on } from 'node:events'
import type { EventBody, ReleaseEvent, ReleaseRef } from '../release/records.ts'

export interface EventLog {
  add(release: ReleaseRef, body: EventBody): void
  read(release: ReleaseRef, afterId: number, signal: AbortSignal): AsyncGenerator<ReleaseEvent>
}

/** Events of all releases in the order in which they happened, for any number of readers. */
export function eventLog(): EventLog {
  const events: ReleaseEvent[] = []
  const added = new EventEmitter()
  added.setMaxListeners(0)
  return {
    add: ({ fleet, environment, number }, body) => {
      events.push({ fleet, environment, number, id: events.length + 1, at: Date.now(), body })
      added.emit('added')
    },
    read: async function* read(release, afterId, signal) {
      const wakes = on(added, 'added', { signal })
      try {
        for (let at = 0; ; at++) {
          while (at >= events.length) await wakes.next()
          const event = events[at]!
          if (event.id <= afterId || !isOf(event, release)) continue
          yield event
          if (event.body.kind === 'ended') return
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}

function isOf(event: ReleaseEvent, release: ReleaseRef): boolean {
  return event.fleet === release.fleet && event.environment === release.environment && event.number === release.number
}

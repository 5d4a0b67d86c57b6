import type { RecordStore } from './record-store.ts'
import type { ReleaseEvent, ReleaseRef } from './records.ts'
import { workflowId } from './scope.ts'

/** Asked this often even when nobody announces anything: an announcement can be lost, an event in the table cannot. */
const FALLBACK_MS = 2000

/** The events of a release after `afterId`, then as they happen, until it has ended or the signal aborts. */
export async function* followEvents(
  records: RecordStore,
  onEvent: (callback: (release: string | undefined) => void) => () => void,
  ref: ReleaseRef,
  options: { readonly afterId?: number; readonly signal: AbortSignal },
): AsyncGenerator<ReleaseEvent> {
  await records.find(ref)
  const bell = makeBell(options.signal)
  const stop = onEvent((release) => {
    if (release === undefined || release === workflowId(ref)) bell.ring()
  })
  try {
    let afterId = options.afterId ?? 0
    while (!options.signal.aborted) {
      bell.reset()
      const events = await records.eventsAfter(ref, afterId)
      for (const event of events) {
        afterId = event.id
        yield event
        if (event.body.kind === 'ended') return
      }
      // A client that comes back after the end has nothing more to wait for.
      if (events.length === 0 && (await records.find(ref)).outcome !== undefined) return
      if (events.length === 0) await bell.wait(FALLBACK_MS)
    }
  } finally {
    stop()
  }
}

/** Wakes one waiter; a ring while nobody waits is remembered until the next reset. */
function makeBell(signal: AbortSignal): { ring: () => void; reset: () => void; wait: (ms: number) => Promise<void> } {
  let rung = false
  let wake: (() => void) | undefined
  const ring = (): void => {
    rung = true
    wake?.()
  }
  return {
    ring,
    reset: () => {
      rung = false
    },
    wait: (ms) =>
      new Promise((resolve) => {
        if (rung || signal.aborted) return resolve()
        const done = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          wake = undefined
          resolve()
        }
        const timer = setTimeout(done, ms)
        signal.addEventListener('abort', done, { once: true })
        wake = done
      }),
  }
}

import { wfQueueRunner } from '@dbos-inc/dbos-sdk/internal/wfqueue'

/** A clock that is corrected by less than this does no harm. */
const SET_BACK_MS = 500
/** A clock that goes forward and comes back in less than this is not noticed. */
const LOOK_EVERY_MS = 100

/**
 * Keeps the SDK's queues going when the clock is set back. It sleeps until times of day that it noted before, so a clock that
 * is set back by an hour would leave what is queued for an hour: its loop is begun anew then, and notes the time again.
 *
 * Before the SDK's launch; returns what ends it, for before its shutdown: a loop that was begun anew in its midst would never end.
 */
export function keepDispatching(): () => void {
  const runner = wfQueueRunner
  const loop = runner.dispatchLoop.bind(runner)
  let isAnew = false
  runner.dispatchLoop = async (...given) => {
    do {
      isAnew = false
      await loop(...given)
    } while (isAnew)
  }
  let offset = Date.now() - performance.now()
  const timer = setInterval(() => {
    const now = Date.now() - performance.now()
    if (now < offset - SET_BACK_MS) {
      isAnew = true
      runner.stop()
    }
    offset = now
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    isAnew = false
    runner.dispatchLoop = loop
  }
}

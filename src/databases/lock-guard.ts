import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import { blockersOf, cancel, waitingSessions } from './sessions.ts'
import type { Blocker, Suspects, WaitingSession } from './sessions.ts'

/** How often the sessions are looked at. A wait is cut at most two of these after its limit. */
const POLL_MS = 200

/** The longest wait for locks that was seen, and whom it was for. */
export interface LockWait {
  readonly waitedMs: number
  readonly blockers: readonly Blocker[]
  /** It reached the limit. */
  readonly expired: boolean
}

export interface LockGuard {
  /** Aborts, with the error as its reason, when the guard can no longer watch. */
  readonly failed: AbortSignal
  /** Ends the watch; undefined when nothing ever waited. */
  stop(): Promise<LockWait | undefined>
}

/**
 * Watches the migration's sessions. While one of them waits for a table, every query of the application on that table
 * queues behind it, so a statement whose transaction has waited longer than the limit is cancelled. `lock_timeout`
 * does the same inside the server, and better, for tools that hand it on; this is for those that do not. The waits
 * of one transaction add up, because what it has locked already stays locked meanwhile.
 */
export function guardLocks(connection: Connection, suspects: Suspects, limitMs: number): LockGuard {
  const stopped = new AbortController()
  const failed = new AbortController()
  const watch = watcher(connection, limitMs)
  const done = (async () => {
    while (!stopped.signal.aborted) {
      await watch.look(await waitingSessions(connection, suspects))
      await sleep(POLL_MS, undefined, { signal: stopped.signal }).catch(() => {})
    }
  })().catch((error: unknown) => failed.abort(error))
  return {
    failed: failed.signal,
    async stop() {
      stopped.abort()
      await done
      return watch.longest()
    },
  }
}

function watcher(
  connection: Connection,
  limitMs: number,
): { look(waiting: readonly WaitingSession[]): Promise<void>; longest(): LockWait | undefined } {
  /** Milliseconds waited so far, by session and transaction. */
  const waited = new Map<string, number>()
  let waitingBefore = new Set<string>()
  let lookedAt = performance.now()
  let longest: LockWait | undefined

  async function judge(session: WaitingSession, waitedMs: number): Promise<void> {
    const blockers = await blockersOf(connection, session.pid)
    const expired = waitedMs >= limitMs
    if (expired) await cancel(connection, session)
    // The server's own lock_timeout fires between two looks; a wait that was seen so close to it has expired too.
    const nearly = waitedMs >= limitMs - 2 * POLL_MS
    if (blockers.length > 0 && waitedMs >= (longest?.waitedMs ?? 0))
      longest = { waitedMs, blockers, expired: expired || nearly }
  }

  return {
    longest: () => longest,
    async look(waiting) {
      const now = performance.now()
      const passed = now - lookedAt
      lookedAt = now
      for (const session of waiting) {
        const key = keyOf(session)
        const waitedMs = (waited.get(key) ?? 0) + (waitingBefore.has(key) ? passed : 0)
        waited.set(key, waitedMs)
        await judge(session, waitedMs)
      }
      waitingBefore = new Set(waiting.map(keyOf))
    },
  }
}

function keyOf({ pid, transaction }: WaitingSession): string {
  return `${pid} ${transaction}`
}

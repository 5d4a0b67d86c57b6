import type { Say } from './acts.ts'
import type { Stage } from './stage.ts'
import { table } from './table.ts'
import { Astray, openTale } from './tale.ts'
import type { Tale } from './tale.ts'
import { verdict } from './verdict.ts'

export const REQUESTS_PER_SECOND = 210
/** As of a program that Ctrl-C has ended. */
const EXIT_INTERRUPTED = 130

export interface Performance<S extends Stage> {
  readonly setStage: (say: Say) => Promise<S>
  /** Gives the promises that were broken, beside those that every demo makes. */
  readonly tell: (told: Told<S>) => Promise<readonly string[]>
  /** What to try while it stays up. */
  readonly advice: (stage: S) => string
  /** Ends what runs, before the stage goes. */
  readonly end: (stage: S) => Promise<void>
}

export interface Told<S extends Stage> {
  readonly stage: S
  readonly tale: Tale
  readonly say: Say
}

/**
 * Plays a demo to its end: the story, the table, the verdict; in a terminal it stays up until Ctrl-C. Whatever happens,
 * nothing is left behind. Gives the exit code: 0 when every promise was kept.
 */
export async function perform<S extends Stage>({ setStage, tell, advice, end }: Performance<S>): Promise<number> {
  const interruption = new AbortController()
  const interrupted = interruption.signal
  // A first Ctrl-C ends the demo orderly; what runs at the moment gets it too, and finishes by itself.
  process.on('SIGINT', () => interruption.abort())
  process.on('SIGTERM', () => interruption.abort())
  const stage = await setStage(say)
  const tale = openTale({ stage, say, requestsPerSecond: REQUESTS_PER_SECOND, interrupted })
  try {
    const broken = await tell({ stage, tale, say }).catch(endOfStory)
    const passed = await judge({ stage, tale, say }, broken)
    if (process.stdout.isTTY && passed) await stayUp(advice(stage), interrupted)
    return passed ? 0 : 1
  } catch (error) {
    if (!interrupted.aborted) throw error
    return EXIT_INTERRUPTED
  } finally {
    await tale.end()
    await end(stage)
    await stage.strike()
  }
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What went otherwise than told is in the table, and no more is told. */
function endOfStory(error: unknown): readonly string[] {
  if (error instanceof Astray) return []
  throw error
}

async function judge({ stage, tale, say }: Told<Stage>, broken: readonly string[]): Promise<boolean> {
  const rows = await tale.rows()
  say(`\n${table(rows)}\n`)
  const kept = await verdict(stage, rows, say)
  for (const promise of broken) say(`✖ not so: ${promise}`)
  return kept && broken.length === 0
}

async function stayUp(advice: string, interrupted: AbortSignal): Promise<void> {
  say(`\nIt stays up until Ctrl-C. In another terminal:\n${advice}`)
  if (interrupted.aborted) return
  await new Promise<void>((resolve) => interrupted.addEventListener('abort', () => resolve(), { once: true }))
}

import type { StepOptions } from './engine.ts'

/** Waits, and rejects when the signal aborts. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

/**
 * Runs a step's body until it succeeds, `attempts` are used up, or the error is not one to try again. Waits 0.2 s
 * before the second try and twice as long before each further one. Throws the last error.
 */
export async function attempt<T>(of: {
  readonly body: (signal: AbortSignal) => Promise<T>
  readonly options: StepOptions
  readonly signal: AbortSignal
  readonly sleep: Sleep
}): Promise<T> {
  const { attempts = 1, retryIf = () => true } = of.options
  for (let tries = 1, wait = 200; ; tries++, wait *= 2) {
    try {
      return await of.body(of.signal)
    } catch (error) {
      if (of.signal.aborted || tries >= attempts || !retryIf(error)) throw error
    }
    await of.sleep(wait, of.signal)
  }
}

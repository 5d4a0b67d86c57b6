/** For work of a process that is ending: it has no outcome, neither now nor later. */
export function never(): Promise<never> {
  return new Promise(() => undefined)
}

/**
 * Does the work, and passes its outcome on unless the signal has aborted meanwhile: what a process was interrupted in
 * by its own end must count neither as done nor as failed, for it will be done again.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) return never()
  try {
    const value = await work()
    return signal.aborted ? await never() : value
  } catch (error) {
    if (signal.aborted) return never()
    throw error
  }
}

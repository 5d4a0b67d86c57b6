/** A number of places that users take in the order they came. */
export interface Slots {
  /** False when the signal aborted first: then no place was taken. */
  take(signal?: AbortSignal): Promise<boolean>
  free(): void
}

export function slots(count: number): Slots {
  const waiting: (() => void)[] = []
  let left = count
  return {
    take(signal) {
      if (signal?.aborted === true) return Promise.resolve(false)
      if (left > 0) {
        left -= 1
        return Promise.resolve(true)
      }
      return new Promise((resolve) => {
        const giveUp = (): void => {
          waiting.splice(waiting.indexOf(enter), 1)
          resolve(false)
        }
        const enter = (): void => {
          signal?.removeEventListener('abort', giveUp)
          resolve(true)
        }
        waiting.push(enter)
        signal?.addEventListener('abort', giveUp, { once: true })
      })
    },
    free() {
      const next = waiting.shift()
      if (next === undefined) left += 1
      else next()
    },
  }
}

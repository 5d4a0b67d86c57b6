import { setTimeout as delay } from 'node:timers/promises'

/** However many come one after the other, the first of them is not kept longer than so many times. */
const MOST_LINGERS = 8

/**
 * Merges concurrent calls: while one run is under way, later items gather and go together in the next. Each caller
 * gets the result of its own item. `run` gives one result per item, in their order; when it throws, every caller of
 * that run gets the error. With `lingerMs` a run begins when no item has come for so long.
 */
export function gatherer<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  { lingerMs = 0 }: { readonly lingerMs?: number } = {},
): (item: Item) => Promise<Result> {
  let waiting: Entry<Item, Result>[] = []
  let running = false

  async function drain(): Promise<void> {
    running = true
    while (waiting.length > 0) {
      if (lingerMs > 0) await lull()
      const entries = waiting
      waiting = []
      await settle(run, entries)
    }
    running = false
  }

  async function lull(): Promise<void> {
    for (let count = 0, lingers = 0; waiting.length > count && lingers < MOST_LINGERS; lingers += 1) {
      count = waiting.length
      await delay(lingerMs)
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!running) {
        running = true
        // Calls made in the same turn belong together.
        queueMicrotask(() => void drain())
      }
    })
}

interface Entry<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

async function settle<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  entries: readonly Entry<Item, Result>[],
): Promise<void> {
  try {
    const results = await run(entries.map((entry) => entry.item))
    if (results.length !== entries.length) {
      throw new TypeError(`${entries.length} items were run and ${results.length} results came back`)
    }
    results.forEach((result, index) => entries[index]?.resolve(result))
  } catch (error) {
    for (const entry of entries) {
      entry.reject(error)
    }
  }
}

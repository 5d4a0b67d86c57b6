/** Uniform numbers in [0, 1) that are the same for the same seed (mulberry32). */
export type Draw = () => number

export function seeded(seed: number): Draw {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A whole number in [from, to]. */
export function between(draw: Draw, from: number, to: number): number {
  return from + Math.floor(draw() * (to - from + 1))
}

/** One of the items, each as likely as its weight says. */
export function weighted<T extends { readonly weight: number }>(draw: Draw, items: readonly T[]): T {
  let left = draw() * items.reduce((sum, item) => sum + item.weight, 0)
  const chosen = items.find((item) => (left -= item.weight) < 0) ?? items.at(-1)
  if (chosen === undefined) throw new Error('nothing to choose from')
  return chosen
}

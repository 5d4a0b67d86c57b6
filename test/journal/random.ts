import type { TestContext } from 'node:test'

/** Random numbers that a seed repeats (mulberry32). */
export interface Random {
  /** A whole number from `low` up to, not including, `high`. */
  between(low: number, high: number): number
  pick<T>(from: readonly [T, ...T[]]): T
}

/** The seed is printed, and taken from SEED to repeat a run. */
export function seeded(test: TestContext): Random {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  test.diagnostic(`seed ${seed}`)
  return randomFrom(seed)
}

export function randomFrom(seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low))
  return { between, pick: (from) => from[between(0, from.length)] ?? from[0] }
}

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { meetMutations } from './fuzz/meet-mutations.ts'

const MUTATIONS = 10_000
/** `SEED=… node --test src/manifest/mutation.slow.ts` repeats a run. */
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

it(`${MUTATIONS} mutations of a manifest (SEED=${SEED}) end in a fleet or in problems, never in a stack trace`, async () => {
  const ends = await meetMutations(MUTATIONS, SEED)

  assert.ok(ends.fleet > 0 && ends.problems > ends.fleet, JSON.stringify(ends))
})

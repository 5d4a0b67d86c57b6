import type { Engine, Workflow } from '../journal/engine.ts'
import type { Context } from './context.ts'
import type { ReleaseRef } from './records.ts'
import { laneOf } from './scope.ts'
import { keptSets } from './sweep.ts'

const EVERY_MS = 3_600_000
const DAY_MS = 24 * EVERY_MS
/** How long the engine's own records of what has ended stay; what people read is in tables of ours, for good. */
const ENDED_DAYS = 30
/** How long an artifact that no kept release has, or a layer that no build used, stays on this machine. */
const UNUSED_DAYS = 7

export interface UpkeepParts {
  readonly context: Context
  readonly engine: Engine & {
    deleteFinished(olderThanMs: number): Promise<number>
    strandedWorkflows(): Promise<readonly { readonly id: string }[]>
  }
  readonly tidy: Workflow<ReleaseRef, void>
}

/**
 * What a control plane does for itself once an hour: old records and artifacts go, quiet hosts are tidied, and a workflow
 * that nobody will go on with is told. Each part may fail without the others, and is tried again an hour later.
 */
export async function upkeep({ context, engine, tidy }: UpkeepParts, now: number): Promise<void> {
  const parts = {
    'old records': () => engine.deleteFinished(ENDED_DAYS * DAY_MS),
    'old artifacts': () => pruneStore(context),
    'quiet hosts': () => tidyHosts({ context, engine, tidy }, now),
    'stranded work': async () => {
      for (const { id } of await engine.strandedWorkflows())
        context.log(`nobody goes on with ${id}: its Drover is gone for good; \`drover cancel\` ends it`)
    },
  }
  for (const [name, part] of Object.entries(parts)) {
    await part().catch((error: unknown) => context.log(`upkeep, ${name}: ${String(error)}`))
  }
}

/** Runs {@link upkeep} every hour until the returned function is called, which waits for one that is under way. */
export function startUpkeep(parts: UpkeepParts): () => Promise<void> {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(() => upkeep(parts, Date.now()))
  }, EVERY_MS)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}

/** What a rollback may go back to stays, and what a release under way is about to use. */
async function pruneStore(context: Context): Promise<void> {
  const { records, store } = context
  const sets = (await records.open()).map(({ set }) => set ?? {})
  for (const environment of await records.environments()) {
    const live = await records.live(environment)
    if (live !== undefined) sets.push(...(await keptSets(context, live)))
  }
  const keep = sets.flatMap((set) => Object.values(set).map(({ artifact }) => artifact))
  await store.prune({ keep, unusedMs: UNUSED_DAYS * DAY_MS })
}

/** In the lane of each environment, so that no release is disturbed; once an hour, however many Drovers there are. */
async function tidyHosts({ context, engine, tidy }: UpkeepParts, now: number): Promise<void> {
  for (const environment of await context.records.environments()) {
    const live = await context.records.live(environment)
    if (live === undefined) continue
    const { fleet, environment: name, number } = live
    const lane = laneOf(environment)
    await engine.start(
      tidy,
      `${lane}/tidy/${Math.floor(now / EVERY_MS)}`,
      { fleet, environment: name, number },
      { lane },
    )
  }
}

import type { Repository } from '../source/repository.ts'
import type { Context } from './context.ts'
import type { Order, ReleaseRef } from './records.ts'
import { workflowId } from './scope.ts'
import { readAhead } from './survey.ts'

/** A fetch that is older than this missed what was pushed while the release waited for its turn. */
const FRESH_MS = 1000

interface Fetching {
  readonly began: number
  readonly fetched: Promise<void>
}

const underWay = new WeakMap<Context, Map<string, Fetching>>()

/**
 * Begins what the source step asks first while the release finds its turn: the fetch, what the manifest says, and the
 * builders' questions about their tools. What fails is told by the step.
 */
export function beginAhead(context: Context, ref: ReleaseRef, order: Order): void {
  if (order.goal !== 'deploy') return
  const all = underWay.get(context) ?? new Map<string, Fetching>()
  underWay.set(context, all)
  const id = workflowId(ref)
  const repository = context.repository(ref.fleet, order.repository)
  const fetched = repository.then((found) => found.fetch())
  fetched.then(async () => readAhead(await repository, ref, order)).catch(() => undefined)
  all.set(id, { began: performance.now(), fetched })
  setTimeout(() => all.delete(id), FRESH_MS).unref()
  askTools(context, ref).catch(() => undefined)
}

/** Fetches, unless that was begun for this very release a moment ago. */
export async function fetchFor(context: Context, ref: ReleaseRef, repository: Repository): Promise<void> {
  const begun = underWay.get(context)?.get(workflowId(ref))
  const isFresh = begun !== undefined && performance.now() - begun.began < FRESH_MS
  await (isFresh ? begun.fetched : repository.fetch())
}

async function askTools(context: Context, ref: ReleaseRef): Promise<void> {
  const live = await context.records.live(ref)
  for (const language of new Set(live?.blueprint?.services.map((service) => service.language)))
    context
      .builder(language)
      .toolchain(context.buildHost)
      .catch(() => undefined)
}

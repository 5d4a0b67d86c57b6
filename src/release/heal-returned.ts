import type { Context } from './context.ts'
import type { ControlPlane } from './control-plane.ts'
import type { EnvironmentRef, HostMark } from './records.ts'
import { blueprintOf, sites } from './scope.ts'

const EVERY_MS = 30_000
/** A host that could not be healed is tried again after twice as long each time, and at the latest after this. */
const LONGEST_MS = 3_600_000
const ANSWER_MS = 10_000

export interface HealingParts {
  readonly context: Context
  readonly controlPlane: Pick<ControlPlane, 'request'>
}

/**
 * Brings hosts that may not run what is live to it once they answer again, with a release of their own. One that is under
 * way in the environment goes first; whatever fails is tried again later.
 */
export async function healReturned({ context, controlPlane }: HealingParts, now: number): Promise<void> {
  for (const mark of await context.marks.all()) {
    const { fleet, environment, host } = mark
    const lane = { fleet, environment }
    if (!isDue(mark, now) || (await context.records.open(lane)).length > 0) continue
    if (!(await answers(context, lane, host)) || !(await context.marks.takeTry(lane, mark))) continue
    const reason = `${mark.why}, and answers again`
    await controlPlane.request(lane, { order: { goal: 'heal', host }, actor: 'drover', reason })
  }
}

/** Looks for such hosts until the returned function is called, which waits for a look that is under way. */
export function startHealing(parts: HealingParts): () => Promise<void> {
  let looking: Promise<void> | undefined
  const timer = setInterval(() => {
    looking ??= healReturned(parts, Date.now())
      .catch((error: unknown) => parts.context.log(`hosts to heal: ${String(error)}`))
      .finally(() => {
        looking = undefined
      })
  }, EVERY_MS)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await looking
  }
}

/** A try of the future was noted before a clock was set back, and says nothing. */
function isDue({ tries, triedAt = 0 }: HostMark, now: number): boolean {
  const waitedMs = now - triedAt
  return tries === 0 || waitedMs < 0 || waitedMs >= Math.min(LONGEST_MS, EVERY_MS * 2 ** tries)
}

async function answers(context: Context, environment: EnvironmentRef, host: string): Promise<boolean> {
  const live = await context.records.live(environment)
  const all = live === undefined ? [] : sites(context, environment.fleet, blueprintOf(live))
  const site = all.find((candidate) => candidate.host.name === host)
  const outcome = await site?.host.run({ program: 'true', argv: [] }, { timeoutMs: ANSWER_MS }).catch(() => undefined)
  return outcome?.ok === true
}

import { problem, Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { arrangementOf, previousSet } from './arrangements.ts'
import { problemsIn } from './everywhere.ts'
import { isOvertaken, isPassing } from './passing.ts'
import type { StoredRelease } from './record-store.ts'
import type { Phase } from './records.ts'
import { enter, sitesOf, takePermit } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn } from './slots.ts'
import { isLiveAsBefore, startPrevious, takeBack } from './undo-host.ts'
import { total, trafficOf } from './verify.ts'
import { leadTo } from './welcome.ts'

/** Why a release is undone: it failed with these problems, or a person cancelled it. */
export interface Cause {
  readonly cancelled: boolean
  readonly problems: readonly Problem[]
  /** The phase in which it ended: up to the gate no host has been touched. */
  readonly phase: Phase
}

/**
 * Takes a release back, from wherever it got to: what is live is what was live before, the new slots are stopped. It takes the
 * permit from the release first, so that nothing of that is still under way. Safe to repeat at any point.
 *
 * A host that cannot be reached any more may or may not have switched. The others go back all the same, and send it
 * nothing until it has been brought to what they run. Only when no host can be reached is the release broken.
 */
export async function undo(scope: Scope, cause: Cause): Promise<void> {
  const release = await enter(scope, 'undo')
  if (BEFORE_ANY_HOST.has(cause.phase)) {
    const outcome = cause.cancelled ? 'cancelled' : cause.phase === 'build' ? 'restored' : 'refused'
    return scope.context.records.end(scope.ref, { outcome, problems: cause.problems })
  }
  await takePermit(scope)
  // Until the first batch comes to its switch, all is done beside what users see.
  const beside = BESIDE_LIVE.has(cause.phase) && release.switchedAt === undefined
  const ends = await Promise.all(
    sitesOf(scope.context, release).map((site) => undoHost(scope, site, { release, beside })),
  )
  const reached = ends.filter(({ how }) => how !== 'lost').map(({ site }) => site)
  const returned = beside ? [] : await returnMoved(scope, release, ends)
  await restoreRecords(scope, release, { ends, beside })
  await leadEverybodyBack(scope, release, reached)
  const left = [...ends.flatMap(({ problems }) => problems), ...returned]
  const traffic = await trafficMeanwhile(release, reached)
  const broken = reached.length === 0 || left.some(({ severity }) => severity === 'error')
  const outcome = broken ? 'broken' : cause.cancelled ? 'cancelled' : 'restored'
  await scope.context.records.end(scope.ref, { outcome, problems: [...cause.problems, ...left], ...traffic })
}

const BESIDE_LIVE: ReadonlySet<Phase> = new Set(['stage', 'migrate', 'start'])
const BEFORE_ANY_HOST: ReadonlySet<Phase> = new Set(['queued', 'source', 'build', 'plan', 'gate'])

/** How the undo of one host ended. `stuck`: it answers, but could not be taken back. `lost`: it does not answer. */
interface End {
  readonly site: Site
  readonly how: 'back' | 'stuck' | 'lost'
  readonly problems: readonly Problem[]
}

interface Undoing {
  readonly release: StoredRelease
  readonly beside: boolean
}

const TRIES = 3
const PAUSE_MS = 200

async function undoHost(scope: Scope, site: Site, { release, beside }: Undoing): Promise<End> {
  for (let tries = 1; ; tries++) {
    try {
      await takeBack(scope, site, release)
      return { site, how: 'back', problems: [] }
    } catch (error) {
      // Who holds the permit by now goes on; and who only has a newer number by now asks for it in the next try.
      if (isOvertaken(error)) throw error
      if (tries === TRIES || !isPassing(error)) return explain(site, { release, beside, error })
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tries))
    }
  }
}

/** What went wrong: as warnings where only something is left behind that the next release or sweep clears away. */
async function explain(site: Site, { release, beside, error }: Undoing & { readonly error: unknown }): Promise<End> {
  const problems = problemsIn(error)
  const answers = await site.router.observe(site.host, site.root).then(
    () => true,
    () => false,
  )
  if (!answers) return { site, how: 'lost', problems: [lostProblem(site.host.name, { release, beside }, problems)] }
  // Such as a full disk, on which nothing can be stopped or removed either.
  const harmless = beside && (await isLiveAsBefore(site, release))
  return {
    site,
    how: 'stuck',
    problems: problems.map((found) => (harmless ? { ...found, severity: 'warning' } : found)),
  }
}

function lostProblem(host: string, { release, beside }: Undoing, [first]: readonly Problem[]): Problem {
  const { number, environment } = release
  const found = beside
    ? problem(
        'release/host-lost',
        `host ${host}`,
        `cannot be reached any more: ${first?.what ?? 'no answer'}`,
        'What was live on it is live; Drover clears away what was laid and started beside that once it is back.',
      )
    : problem(
        'release/host-lost',
        `host ${host}`,
        `cannot be reached any more, and may have switched to release ${number}: ${first?.what ?? 'no answer'}`,
        `Other hosts send it nothing until \`drover hosts heal ${environment} ${host}\`, or Drover itself once it is back, has brought it to what is live.`,
      )
  return { ...found, severity: 'warning' }
}

/**
 * A singleton that had moved to another host starts where it was, once it has stopped where it went. While that cannot be
 * known it does not: better none than two.
 */
async function returnMoved(scope: Scope, release: StoredRelease, ends: readonly End[]): Promise<Problem[]> {
  const lost = new Set(ends.filter(({ how }) => how !== 'back').map(({ site }) => site.host.name))
  const moved = ends.flatMap(({ site, how }) =>
    how === 'lost'
      ? []
      : [...movesOn(release.plan!, site.host.name).leaving].map(([service, slot]) => ({ site, service, slot })),
  )
  const problems = await Promise.all(
    moved.map(async ({ site, service, slot }): Promise<readonly Problem[]> => {
      const to = release.plan!.steps.find((step) => step.kind === 'swap' && step.service === service)?.host
      if (to !== undefined && lost.has(to)) return [mayStillRun(service, { from: site.host.name, to })]
      const previous = await previousSet(scope, release.before?.[site.host.name]?.live?.release)
      if (previous[service] === undefined) return []
      return startPrevious({ scope, site, previous, service, slot }).then(() => [], problemsIn)
    }),
  )
  return problems.flat()
}

function mayStillRun(service: string, { from, to }: { readonly from: string; readonly to: string }): Problem {
  return problem(
    'release/may-run-twice',
    `service ${service} on ${from}`,
    `is not started again, since it may still run on ${to}, and must not run twice`,
    `Once ${to} is back or is switched off for certain, release again.`,
  )
}

interface Undone {
  readonly ends: readonly End[]
  readonly beside: boolean
}

/** What is live by the records is what was before; a host is marked when it may be something else, or more than that. */
async function restoreRecords(scope: Scope, release: StoredRelease, { ends, beside }: Undone): Promise<void> {
  const { records, marks } = scope.context
  const { order, number, liveBefore, without = [] } = release
  if (order.goal !== 'heal') await records.setLive(scope.ref, liveBefore === 0 ? undefined : liveBefore)
  await marks.clear(scope.ref, without, number)
  const left = ends.filter(({ how }) => how !== 'back')
  await marks.set(
    scope.ref,
    left.map(({ site, how }) => ({
      host: site.host.name,
      since: number,
      why: how === 'lost' ? `was lost in release ${number}` : `could not be taken back from release ${number}`,
      ...(beside ? { untidy: true } : {}),
    })),
  )
}

/** Hosts that were sent nothing because the release left them out are sent to again, and those that were lost are not. */
async function leadEverybodyBack(scope: Scope, release: StoredRelease, reached: readonly Site[]): Promise<void> {
  if (release.liveBefore === undefined || release.liveBefore === 0) return
  const live = await scope.context.records.find({ ...scope.ref, number: release.liveBefore })
  const arrangement = await arrangementOf(scope, live)
  if (arrangement.addresses.of.size > 0) await leadTo(scope, reached, arrangement)
}

async function trafficMeanwhile(
  release: StoredRelease,
  reached: readonly Site[],
): Promise<{ traffic?: NonNullable<StoredRelease['traffic']> }> {
  try {
    return { traffic: total(await trafficOf(reached, release.startedAt ?? release.requestedAt, Date.now())) }
  } catch (error) {
    if (error instanceof Refusal) return {}
    throw error
  }
}

/** The problem of a release that was given up because its worker died too often on it. */
export function poisoned(): Problem {
  return problem(
    'release/poison',
    'drover',
    'the release ended its worker again and again and was given up',
    'The server log has the last words of each; the set from before is live.',
  )
}

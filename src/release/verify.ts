import { problem, Refusal } from '../problem/problem.ts'
import type { ServiceTraffic } from '../routers/router.ts'
import { judge } from '../watch/traffic-verdict.ts'
import { everywhere } from './everywhere.ts'
import type { StoredRelease } from './record-store.ts'
import { blueprintOf, emit, enter, sitesOf } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn } from './slots.ts'
import { askSmoke } from './smoke.ts'
import { planned } from './stage.ts'
import { versionProblems } from './versions.ts'

/** How far back the traffic of before is looked at for comparison. */
const BASELINE_MS = 60_000
const ROUND_MS = 500

/**
 * Proves the new set under real traffic: the smoke paths through the live routes and the versions that the hosts report,
 * then a watch in which every moved service's share of failures is held against the time before. While it lasts, the old
 * slots answer for what the new ones fail. A Refusal names the services that got worse.
 */
export async function verify(scope: Scope, hosts: readonly string[], switchedAt: number): Promise<void> {
  const release = await enter(scope, 'verify')
  const { watchMs } = blueprintOf(release).environment.verify
  const all = sitesOf(scope.context, release).filter(({ host }) => hosts.includes(host.name))
  await Promise.all([smokeAll(scope, release, all), proveVersions(release, all)])
  if (watchMs === 0) return
  // Of the time that a killed Drover has watched already; a clock that was set meanwhile makes it neither longer nor none.
  const watchedMs = Math.min(watchMs, Math.max(0, Date.now() - switchedAt))
  const deadline = performance.now() + watchMs - watchedMs
  const leftMs = (): number => Math.max(0, deadline - performance.now())
  const before = await trafficOf(all, switchedAt - BASELINE_MS, switchedAt)
  let round = 0
  while (leftMs() > 0) {
    scope.signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, Math.min(ROUND_MS, leftMs())))
    const after = await trafficOf(all, switchedAt, Date.now())
    await judgeRound(release, all, before, after)
    if (round++ % 2 === 0) await smokeAll(scope, release, all)
    await emit(scope, { kind: 'watch', ...total(after), remainingMs: Math.ceil(leftMs()) })
  }
  await proveVersions(release, all)
}

/** What a host was told is not what it runs: it may have been altered, replaced or restored from elsewhere. */
async function proveVersions(release: StoredRelease, all: readonly Site[]): Promise<void> {
  const problems = (await everywhere(all, (site) => versionProblems(site, release))).flat()
  if (problems.length > 0) throw new Refusal(problems, 'failed-restored')
}

async function smokeAll(scope: Scope, release: StoredRelease, all: readonly Site[]): Promise<void> {
  const { plan, set } = planned(release)
  const problems = await everywhere(all, (site) => {
    const moves = movesOn(plan, site.host.name)
    return askSmoke({ site, set, services: [...moves.beside.keys(), ...moves.swapped.keys()], signal: scope.signal })
  })
  if (problems.flat().length > 0) throw new Refusal(problems.flat(), 'failed-restored')
}

async function judgeRound(
  release: StoredRelease,
  all: readonly Site[],
  before: Traffic,
  after: Traffic,
): Promise<void> {
  const { plan } = planned(release)
  const moved = new Set(
    all.flatMap((site) => [
      ...movesOn(plan, site.host.name).beside.keys(),
      ...movesOn(plan, site.host.name).swapped.keys(),
    ]),
  )
  const mine = (traffic: Traffic): Traffic =>
    Object.fromEntries(Object.entries(traffic).filter(([service]) => moved.has(service)))
  const verdict = judge({ before: mine(before), after: mine(after), policy: blueprintOf(release).environment.verify })
  if (verdict.verdict === 'keep') return
  const bad = verdict.services.filter((service) => service.verdict === 'undo')
  throw new Refusal(
    bad.map(({ service, reason }) =>
      problem(
        'release/worse-than-before',
        `service ${service}`,
        reason,
        'The set from before is live again; look at `drover logs` of this service.',
      ),
    ),
    'failed-restored',
  )
}

export type Traffic = Record<string, ServiceTraffic>

/** Traffic over all hosts of the environment, per service. Latencies are the worst host's. */
export async function trafficOf(all: readonly Site[], from: number, to: number): Promise<Traffic> {
  const sum: Traffic = {}
  for (const report of await everywhere(all, (site) => site.router.traffic(site.host, site.root, from, to))) {
    for (const [service, traffic] of Object.entries(report)) sum[service] = merge(sum[service], traffic)
  }
  return sum
}

function merge(a: ServiceTraffic | undefined, b: ServiceTraffic): ServiceTraffic {
  if (a === undefined) return b
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    rescued: a.rescued + b.rescued,
    slotFailures: a.slotFailures + b.slotFailures,
    p50Ms: Math.max(a.p50Ms, b.p50Ms),
    p99Ms: Math.max(a.p99Ms, b.p99Ms),
  }
}

export function total(traffic: Traffic): { requests: number; failed: number; rescued: number } {
  const sum = { requests: 0, failed: 0, rescued: 0 }
  for (const service of Object.values(traffic)) {
    sum.requests += service.requests
    sum.failed += service.failed
    sum.rescued += service.rescued
  }
  return sum
}

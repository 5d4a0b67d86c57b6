import { Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { RouteSet } from '../routers/router.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import { isPassing } from './passing.ts'
import { repairsOf } from './drift.ts'
import type { Repairs } from './drift.ts'
import type { InspectedSite } from './inspect-site.ts'
import type { HostState } from './plan.ts'
import type { Before } from './records.ts'
import type { Site } from './scope.ts'

export interface FleetState {
  readonly before: Before
  readonly hosts: readonly HostState[]
  /** Hosts that did not say what runs there, and why. */
  readonly away: readonly AwayHost[]
}

export interface AwayHost {
  readonly host: string
  readonly problems: readonly Problem[]
}

interface Report {
  readonly host: string
  readonly live: RouteSet | undefined
  readonly slots: readonly SlotReport[]
  readonly repairs?: Repairs
}

/** Tells besides what of a host is not as it was declared; undefined for one of which nothing was declared. */
export type Inspect = (site: Site) => Promise<InspectedSite> | undefined

/** Asks hosts of an environment what runs there and what is live, side by side. A Refusal when none of them answers. */
export async function observe(sites: readonly Site[], inspect: Inspect = () => undefined): Promise<FleetState> {
  const answers = await Promise.all(sites.map((site) => ask(site, inspect)))
  const away = answers.filter((answer) => 'problems' in answer)
  if (away.length === sites.length) throw new Refusal(away.flatMap(({ problems }) => problems))
  const reports = answers.filter((answer) => 'slots' in answer)
  return {
    before: Object.fromEntries(
      reports.map(({ host, live, slots }) => [host, { slots, ...(live === undefined ? {} : { live }) }]),
    ),
    hosts: reports.map(({ host, live, slots, repairs }) => ({
      host,
      slots,
      ...(repairs === undefined ? {} : { repairs }),
      live: Object.fromEntries(Object.entries(live?.choices ?? {}).map(([service, choice]) => [service, choice.slot])),
    })),
    away,
  }
}

/** What one host says of itself now. */
export async function look(site: Site): Promise<Report> {
  const [router, slots] = await Promise.all([
    site.router.observe(site.host, site.root),
    site.runtime.observe(site.host, site.root),
  ])
  return { host: site.host.name, live: router.live, slots }
}

async function ask(site: Site, inspect: Inspect): Promise<Report | AwayHost> {
  try {
    const inspected = await inspect(site)
    if (inspected === undefined) return await look(site)
    const { router, slots, findings } = inspected
    return { host: site.host.name, live: router.live, slots, repairs: repairsOf(findings) }
  } catch (error) {
    // One that was only cut off is asked again.
    if (!(error instanceof Refusal) || isPassing(error)) throw error
    return { host: site.host.name, problems: error.problems }
  }
}

import { otherSlot } from '../manifest/fleet.ts'
import { Refusal, formatProblem } from '../problem/problem.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import type { Context } from './context.ts'
import type { EnvironmentStatus, ServiceStatus } from './control-plane.ts'
import { hinted } from './environment-drift.ts'
import { declarationOf, inspectSite } from './inspect-site.ts'
import type { Declaration, InspectedSite } from './inspect-site.ts'
import type { StoredRelease } from './record-store.ts'
import type { EnvironmentRef, SetMember } from './records.ts'
import { blueprintOf, sites } from './scope.ts'
import type { Site } from './scope.ts'

const PROBE_MS = 2000

/** What runs where, by what the hosts say now. */
export async function environmentStatus(context: Context, environment: EnvironmentRef): Promise<EnvironmentStatus> {
  const { fleet, environment: name } = environment
  const live = await context.records.live(environment)
  const [active] = await context.records.open(environment)
  const under = active === undefined ? {} : { active }
  if (live === undefined) return { fleet, environment: name, ...under, services: [], hosts: [] }
  const marks = new Map((await context.marks.of(environment)).map((mark) => [mark.host, mark]))
  // What a release that is under way does to the hosts would look like drift.
  const declaration = active === undefined && live.set !== undefined ? await declarationOf(context, live) : undefined
  const all = sites(context, fleet, blueprintOf(live))
  const reports = await Promise.all(
    all.map((site) => siteStatus(site, live, () => inspected(context, site, declaration))),
  )
  return {
    fleet,
    environment: name,
    live,
    ...under,
    services: reports.flatMap((report) => report.services),
    hosts: reports.map(({ host }) => {
      const mark = marks.get(host.host)
      return {
        ...host,
        ...(mark === undefined || mark.untidy === true ? {} : { behind: { since: mark.since, why: mark.why } }),
      }
    }),
  }
}

type Seen = Pick<InspectedSite, 'router' | 'slots'> & Partial<InspectedSite>

async function inspected(context: Context, site: Site, declaration: Declaration | undefined): Promise<Seen> {
  if (declaration !== undefined) return inspectSite(context, site, { declaration })
  const [router, slots] = await Promise.all([
    site.router.observe(site.host, site.root),
    site.runtime.observe(site.host, site.root),
  ])
  return { router, slots }
}

async function siteStatus(
  site: Site,
  live: StoredRelease,
  see: () => Promise<Seen>,
): Promise<{ host: EnvironmentStatus['hosts'][number]; services: ServiceStatus[] }> {
  const host = site.host.name
  try {
    const { router, slots, findings } = await see()
    const drift = findings === undefined ? {} : { drift: hinted(findings, live, host) }
    const runs = router.live === undefined ? {} : { release: router.live.release }
    const byName = new Map(slots.map((slot) => [`${slot.service}/${slot.slot}`, slot]))
    const placed = blueprintOf(live).services.filter((service) => service.hosts.includes(host))
    const services = placed.map((service) => {
      const choice = router.live?.choices[service.name]
      const report = choice === undefined ? undefined : byName.get(`${service.name}/${choice.slot}`)
      const other = choice === undefined ? undefined : byName.get(`${service.name}/${otherSlot(choice.slot)}`)
      return { service, report, warm: other?.state === 'running' }
    })
    const ready = await readiness(
      site,
      services.map(({ service, report }) => ({ port: report?.port, path: service.ready.path })),
    )
    return {
      host: { host, reachable: true, router: router.running ? 'running' : 'stopped', ...runs, ...drift },
      services: services.map(({ service, report, warm }, index) => ({
        service: service.name,
        host,
        ...(service.port === undefined ? {} : { port: service.port }),
        state: stateOf(report, ready[index]),
        ...(report === undefined ? {} : { slot: report }),
        warm,
        ...(report?.artifact === undefined ? {} : { artifact: report.artifact }),
        ...versionOf(live.set?.[service.name], report),
        ...deviation(live, service.name),
      })),
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return {
      host: { host, reachable: false, router: 'stopped', problem: error.problems.map(formatProblem).join('; ') },
      services: [],
    }
  }
}

/** Whether each port's readiness path answers 2xx; undefined for a worker, which has none. */
async function readiness(
  site: Site,
  questions: readonly { port: number | undefined; path: string }[],
): Promise<(boolean | undefined)[]> {
  const asked = questions.flatMap(({ port, path }, index) =>
    port === undefined ? [] : [{ index, probe: { port, path, timeoutMs: PROBE_MS } }],
  )
  const answers = await site.host.probe(asked.map(({ probe }) => probe))
  const ready: (boolean | undefined)[] = questions.map(() => undefined)
  for (const [position, { index }] of asked.entries()) {
    const status = answers[position]?.status
    ready[index] = status !== undefined && status >= 200 && status < 300
  }
  return ready
}

function stateOf(report: SlotReport | undefined, ready: boolean | undefined): ServiceStatus['state'] {
  if (report === undefined || report.state === 'absent') return 'absent'
  if (report.state !== 'running') return report.state
  return ready === false ? 'not-ready' : 'ready'
}

function versionOf(
  member: SetMember | undefined,
  report: SlotReport | undefined,
): Pick<ServiceStatus, 'release' | 'differs'> {
  if (member === undefined) return {}
  const isOther = report?.artifact !== undefined && report.artifact !== member.artifact.id
  const isSetOtherwise = report?.config !== undefined && report.config !== member.config
  return isOther || isSetOtherwise ? { differs: true } : { release: member.release }
}

function deviation(live: StoredRelease, service: string): Pick<ServiceStatus, 'deviation'> {
  const found = live.deviations.find((candidate) => candidate.service === service)
  return found === undefined ? {} : { deviation: { release: found.release } }
}

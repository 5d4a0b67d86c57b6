import type { HostState } from './plan.ts'
import type { Before } from './records.ts'
import type { Site } from './scope.ts'

/** Asks every host of an environment what runs there and what is live; hosts side by side. */
export async function observe(sites: readonly Site[]): Promise<{ before: Before; hosts: HostState[] }> {
  const reports = await Promise.all(
    sites.map(async (site) => {
      const [router, slots] = await Promise.all([
        site.router.observe(site.host, site.root),
        site.runtime.observe(site.host, site.root),
      ])
      return { host: site.host.name, live: router.live, slots }
    }),
  )
  const before: Before = Object.fromEntries(
    reports.map(({ host, live, slots }) => [host, { slots, ...(live === undefined ? {} : { live }) }]),
  )
  const hosts = reports.map(({ host, live, slots }) => ({
    host,
    slots,
    live: Object.fromEntries(Object.entries(live?.choices ?? {}).map(([service, choice]) => [service, choice.slot])),
  }))
  return { before, hosts }
}

import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { look } from './fleet-state.ts'
import type { StoredRelease } from './record-store.ts'
import type { Site } from './scope.ts'
import { runsOn } from './slots.ts'
import { planned } from './stage.ts'

/**
 * Whether a host runs what was released to it, by what its own processes say and not by what it was told: a problem for
 * each service that is another version, or none.
 */
export async function versionProblems(site: Site, release: StoredRelease): Promise<Problem[]> {
  const { set } = planned(release)
  const host = site.host.name
  const { live, slots } = await look(site)
  if (live?.release !== release.number) {
    const what = live === undefined ? 'nothing is live there' : `the set of release ${live.release} is live there`
    return [problem('release/other-version', `host ${host}`, `${what}, not that of release ${release.number}`)]
  }
  return Object.entries(set).flatMap(([service, member]) => {
    if (!runsOn(member, host)) return []
    const slot = live.choices[service]?.slot
    const report = slots.find((each) => each.service === service && each.slot === slot)
    const isThere = report?.state === 'running' || report?.state === 'crashed'
    if (isThere && report.artifact === member.artifact.id && report.config === member.config) return []
    const runs = !isThere ? `is ${report?.state ?? 'absent'}` : `runs ${report.artifact ?? 'something unknown'}`
    const wanted = `${member.artifact.id} with the configuration ${member.config}`
    return [
      problem(
        'release/other-version',
        `service ${service} on ${host}`,
        `${runs}${isThere && report.config !== undefined ? ` with the configuration ${report.config}` : ''}, not ${wanted}`,
        'Does something else than Drover start it there?',
      ),
    ]
  })
}

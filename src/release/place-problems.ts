import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { Blueprint, EnvironmentHost } from './records.ts'

/**
 * What a host runs is found by its runtime, its router and its folder. A release under others would start everything a
 * second time beside what is live, and see none of it.
 */
export function placeProblems(next: Blueprint, live: Blueprint | undefined): Problem[] {
  if (live === undefined) return []
  const before = new Map(live.hosts.map((host) => [host.name, host]))
  return next.hosts.flatMap((host) => {
    const known = before.get(host.name)
    return known === undefined ? [] : changes(host, { live, next, known })
  })
}

interface Change {
  readonly live: Blueprint
  readonly next: Blueprint
  readonly known: EnvironmentHost
}

function changes(host: EnvironmentHost, { live, next, known }: Change): Problem[] {
  const environment = next.environment.name
  const keys = [
    ['runtime', live.environment.runtime, next.environment.runtime],
    ['router', live.environment.router, next.environment.router],
    ['root', known.root, host.root],
  ] as const
  return keys
    .filter(([, now, then]) => now !== undefined && then !== undefined && now !== then)
    .map(([key, now, then]) =>
      problem(
        'release/place-changes',
        `host ${host.name}`,
        `is live with ${key} ${now}, which this release changes to ${then}`,
        `Write \`${key}: ${now}\` in environments.${environment}, or stop what runs there first with \`drover teardown ${environment}\`.`,
      ),
    )
}

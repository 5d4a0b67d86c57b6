import { diskSpace } from '../hosts/disk.ts'
import { problem, Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { portProblems } from './port-problems.ts'
import type { ReleaseSet } from './records.ts'
import { blueprintOf, enter, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'

/** What has to be left on a host's disk after the artifacts are laid: logs and temporary files of 19 services need room. */
const RESERVE_BYTES = 200 * 1024 * 1024
const RESERVE_INODES = 10_000

/**
 * The gate: everything that must be true before a host is touched, all refusals at once, and then the permit, whose
 * number the hosts compare from here on.
 */
export async function passGate(scope: Scope): Promise<void> {
  const release = await enter(scope, 'gate')
  const all = sites(scope.context, scope.ref.fleet, blueprintOf(release))
  const live = await scope.context.records.live(scope.ref)
  const problems = [
    ...portProblems(release.set ?? {}, live?.set ?? {}, release.before ?? {}),
    ...(await Promise.all(all.map((site) => roomOn(site, release.set ?? {})))).flat(),
  ]
  if (problems.length > 0) throw new Refusal(problems)
  await scope.context.permits.take(scope.ref, scope.holder)
}

async function roomOn(site: Site, set: ReleaseSet): Promise<Problem[]> {
  const free = await diskSpace(site.host, site.root)
  const needed = Object.values(set).reduce((sum, member) => sum + member.artifact.bytes, 0)
  const problems: Problem[] = []
  if (free.freeBytes < needed + RESERVE_BYTES) {
    const what = `has ${megabytes(free.freeBytes)} free, the release needs up to ${megabytes(needed)} and ${megabytes(RESERVE_BYTES)} in reserve`
    problems.push(
      problem(
        'release/disk',
        `host ${site.host.name} ${site.root}`,
        what,
        'Free space there, or set `keep` lower so that fewer old releases stay.',
      ),
    )
  }
  if (free.freeInodes !== undefined && free.freeInodes < RESERVE_INODES) {
    problems.push(
      problem(
        'release/inodes',
        `host ${site.host.name} ${site.root}`,
        `has ${free.freeInodes} inodes free, ${RESERVE_INODES} are needed`,
        'Remove small files there.',
      ),
    )
  }
  return problems
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MB`
}

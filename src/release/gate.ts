import { diskSpace } from '../hosts/disk.ts'
import type { DiskSpace } from '../hosts/disk.ts'
import { problem, Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { placeProblems } from './place-problems.ts'
import { portProblems } from './port-problems.ts'
import { everywhere } from './everywhere.ts'
import { awayProblems, strandedSingletons } from './host-problems.ts'
import type { ReleaseSet } from './records.ts'
import { blueprintOf, enter, sitesOf, takePermit } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { runsOn } from './slots.ts'

/** What has to be left on a host's disk after the artifacts are laid: logs and temporary files of 19 services need room. */
const RESERVE_BYTES = 200 * 1024 * 1024
const RESERVE_INODES = 10_000

/**
 * The gate: everything that must be true before a host is touched, all refusals at once, and then the permit, whose
 * number the hosts compare from here on.
 */
export async function passGate(scope: Scope): Promise<void> {
  const release = await enter(scope, 'gate')
  const { order, plan, set = {}, before = {} } = release
  const away = new Set(plan?.leftOut?.map(({ host }) => host))
  const all = sitesOf(scope.context, release).filter(({ host }) => !away.has(host.name))
  // A heal changes nothing of what is live, so that its ports are where they were.
  const live = order.goal === 'heal' ? undefined : await scope.context.records.live(scope.ref)
  const problems = [
    ...awayProblems(release),
    ...placeProblems(blueprintOf(release), live?.blueprint),
    ...portProblems(set, live?.set ?? {}, before),
    ...(await strandedSingletons(scope, release, live)),
    ...(await everywhere(all, (site) => roomOn(site, set, before[site.host.name]?.disk))).flat(),
  ]
  if (problems.length > 0) throw new Refusal(problems)
  await takePermit(scope)
}

async function roomOn(site: Site, set: ReleaseSet, measured: DiskSpace | undefined): Promise<Problem[]> {
  const free = measured ?? (await diskSpace(site.host, site.root))
  const here = Object.values(set).filter((member) => runsOn(member, site.host.name))
  const needed = here.reduce((sum, member) => sum + member.artifact.bytes, 0)
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

import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { runsOnce } from '../manifest/placement.ts'
import { look } from './fleet-state.ts'
import type { StoredRelease } from './record-store.ts'
import { blueprintOf, concerns, sites } from './scope.ts'
import type { Scope } from './scope.ts'

/** Hosts that do not answer: the release is refused, unless it leaves them out. */
export function awayProblems({ plan, environment }: StoredRelease): Problem[] {
  const away = plan?.leftOut?.filter(({ why }) => why === 'away') ?? []
  const names = away.map(({ host }) => host)
  const without = names.map((host) => `--without ${host}`).join(' ')
  return away.map(({ host, detail }) =>
    problem(
      'release/host-away',
      `host ${host}`,
      `does not say what runs there: ${detail ?? 'no answer'}`,
      `Bring it back, or leave out what is away with ${without}: other hosts send it nothing until \`drover hosts heal ${environment} ${host}\`, or Drover itself, has brought it to what is live.`,
    ),
  )
}

/**
 * What must not run twice and is to move to another host, while the host that it is live on cannot be told to stop it. A
 * host that was taken out of the manifest and does not answer counts as gone for good.
 */
export async function strandedSingletons(
  scope: Scope,
  release: StoredRelease,
  live: StoredRelease | undefined,
): Promise<Problem[]> {
  const moving = Object.values(release.set ?? {}).flatMap(({ definition }) => {
    const from = live?.set?.[definition.name]?.definition.hosts[0]
    const moves = runsOnce(definition) && from !== undefined && !definition.hosts.includes(from)
    return moves ? [{ service: definition.name, from, to: definition.hosts[0] ?? '' }] : []
  })
  const known = blueprintOf(release).hosts.map(({ name }) => name)
  const problems = await Promise.all(
    moving.map(async ({ service, from, to }): Promise<Problem[]> => {
      if (!known.includes(from)) {
        return (await isLiveOn(scope, live, { service, host: from })) ? [stillThere(service, from)] : []
      }
      return concerns(release.order, from) ? [] : [mayRunTwice({ service, from, to })]
    }),
  )
  return problems.flat()
}

async function isLiveOn(
  scope: Scope,
  live: StoredRelease | undefined,
  { service, host }: { readonly service: string; readonly host: string },
): Promise<boolean> {
  const all = live === undefined ? [] : sites(scope.context, scope.ref.fleet, blueprintOf(live))
  const site = all.find((candidate) => candidate.host.name === host)
  const report = site === undefined ? undefined : await look(site).catch(() => undefined)
  return report?.slots.some((slot) => slot.service === service && slot.state === 'running') ?? false
}

function mayRunTwice({ service, from, to }: Readonly<Record<'service' | 'from' | 'to', string>>): Problem {
  return problem(
    'release/may-run-twice',
    `service ${service}`,
    `must not run twice; it is live on ${from}, which is left out, and would be started on ${to}`,
    `Leave it on ${from} for now. Is ${from} gone for good? Then take it out of \`hosts\` in drover.yaml.`,
  )
}

function stillThere(service: string, host: string): Problem {
  return problem(
    'release/may-run-twice',
    `service ${service}`,
    `must not run twice, and runs on ${host}, which this release takes out of the environment`,
    `Let it move first, with \`on\` another host while ${host} is still there; then take ${host} out.`,
  )
}

import { createHash } from 'node:crypto'
import { refusal } from '../problem/problem.ts'
import { makePlan } from '../release/plan.ts'
import type { Plan } from '../release/plan.ts'
import type { EnvironmentRef, Release, Request } from '../release/records.ts'
import type { EventLog } from './testing-events.ts'

/**
 * Refs with a fate of their own; any other is kept. `one`: only the first service differs from `main`. `same`: none
 * does. `never-ready`: fails in start and goes back. `broken`: fails after the switch and cannot. `endless`: hangs in start until cancelled.
 */
export const FATES = ['main', 'one', 'same', 'refused', 'never-ready', 'broken', 'endless'] as const
export type Fate = (typeof FATES)[number]

/** What the testing control plane remembers. */
export interface World {
  readonly services: readonly string[]
  readonly paceMs: number
  /** By `fleet/environment`. */
  readonly releases: ReadonlyMap<string, Entry[]>
  readonly log: EventLog
}

export interface Entry {
  release: Release
  readonly request: Request
  readonly fate: Fate
  readonly cancelled: AbortController
  ended: Promise<void>
}

export function entriesOf(world: World, environment: EnvironmentRef): Entry[] {
  const name = `${environment.fleet}/${environment.environment}`
  const entries = world.releases.get(name)
  if (entries === undefined)
    throw refusal(
      'release/unknown-environment',
      name,
      'nothing was ever released there',
      'Which environments does drover.yaml have?',
    )
  return entries
}

/** The real planner, over hosts that report what the live release of this world would run. */
export function planFor(world: World, environment: EnvironmentRef, request: Request): Plan {
  const { services } = world
  const live = entriesOf(world, environment).find((entry) => entry.release.live)
  const wanted = versionsOf(services, request)
  const running = live === undefined ? {} : versionsOf(services, live.request)
  return makePlan({
    fleet: environment.fleet,
    environment: environment.environment,
    goal: request.order.goal,
    wanted: services.map((name) => ({
      name,
      source: wanted[name]!,
      artifact: wanted[name]!,
      config: 'c1',
      needs: [],
      swaps: false,
      hosts: new Set(['local']),
      reasons: live === undefined || running[name] === wanted[name] ? [] : [`services/${name}/server.js changed`],
    })),
    hosts: [
      {
        host: 'local',
        live: Object.fromEntries(Object.keys(running).map((name) => [name, 'a'])),
        slots: Object.entries(running).map(([service, artifact]) => ({
          service,
          slot: 'a',
          state: 'running',
          artifact,
          config: 'c1',
          restarts: 0,
        })),
      },
    ],
  })
}

function versionsOf(services: readonly string[], { order }: Request): Record<string, string> {
  const ref = order.goal === 'deploy' ? (order.ref ?? 'main') : 'main'
  return Object.fromEntries(
    services.map((name, index) => {
      const version = ref === 'same' || (ref === 'one' && index > 0) ? 'main' : ref
      return [name, createHash('sha256').update(`${name} ${version}`).digest('hex').slice(0, 20)]
    }),
  )
}

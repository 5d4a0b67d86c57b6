import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../problem/problem.ts'
import type { ControlPlane, EnvironmentStatus, LogLine, LogOptions } from '../release/control-plane.ts'
import type { DriftFinding, EnvironmentDrift } from '../release/environment-drift.ts'
import type { EnvironmentRef, Release, ReleaseRef, Request } from '../release/records.ts'
import { eventLog } from './testing-events.ts'
import { playStory } from './testing-story.ts'
import { FATES, entriesOf, planFor } from './testing-world.ts'
import type { Entry, World } from './testing-world.ts'

export interface TestingOptions {
  readonly fleet?: string
  readonly environments?: readonly string[]
  readonly services?: readonly string[]
  /** How long each step of a story takes. */
  readonly paceMs?: number
  /** What every look at the host finds once something is live. */
  readonly drift?: readonly DriftFinding[]
}

export interface TestingControlPlane extends ControlPlane {
  /** Cancels what runs and waits for it. */
  close(): Promise<void>
}

/**
 * A control plane in memory that keeps the promises of the port, for the tests of what stands on it: releases of an
 * environment one at a time, events that can be read again, cancelling, going back. What a release meets is told by its ref, see {@link FATES}.
 */
export function testingControlPlane(options: TestingOptions = {}): TestingControlPlane {
  const {
    fleet = 'pakashop',
    environments = ['staging', 'production'],
    services = ['backend', 'config', 'gateway'],
    paceMs = 1,
  } = options
  const releases = new Map<string, Entry[]>(environments.map((name) => [`${fleet}/${name}`, []]))
  const world: World = { services, paceMs, releases, log: eventLog() }
  return {
    plan: async (environment, request) => planFor(world, environment, request),
    request: async (environment, request) => ask(world, environment, request),
    cancel: async (ref, actor) => cancel(world, entryOf(world, ref), actor),
    release: async (ref) => entryOf(world, ref).release,
    releases: async (environment, { limit, before = Infinity }) => {
      const known = entriesOf(world, environment).map((entry) => entry.release)
      return known
        .filter((release) => release.number < before)
        .reverse()
        .slice(0, limit)
    },
    events: (ref, { afterId = 0, signal }) => world.log.read(entryOf(world, ref).release, afterId, signal),
    status: async (environment) => statusOf(world, environment),
    drift: async (environment, { deep }) => driftIn(options.drift ?? [], statusOf(world, environment), deep),
    environments: async () => environments.map((environment) => ({ fleet, environment })),
    logs: (environment, wanted) => logLines(world, environment, wanted),
    teardown: async (environment) => {
      for (const entry of entriesOf(world, environment)) entry.release = { ...entry.release, live: false }
    },
    close: async () => {
      const entries = [...releases.values()].flat()
      for (const entry of entries) entry.cancelled.abort()
      await Promise.all(entries.map((entry) => entry.ended))
    },
  }
}

function ask(world: World, environment: EnvironmentRef, request: Request): Release {
  const entries = entriesOf(world, environment)
  const { order, actor, reason, expectedPlan } = request
  if (expectedPlan !== undefined && !planFor(world, environment, request).hash.startsWith(expectedPlan)) {
    const where = `${environment.fleet}/${environment.environment}`
    throw refusal(
      'release/plan-changed',
      where,
      'the plan is no longer the one that was shown',
      'Run `drover plan` again.',
    )
  }
  const ref = order.goal === 'deploy' ? (order.ref ?? 'main') : 'main'
  const release: Release = {
    fleet: environment.fleet,
    environment: environment.environment,
    number: entries.length + 1,
    goal: order.goal,
    phase: 'queued',
    live: false,
    actor,
    repository: order.goal === 'deploy' ? order.repository : '/srv/pakashop',
    branch: ref,
    requestedAt: Date.now(),
    problems: [],
    deviations: [],
    ...(reason === undefined ? {} : { reason }),
    ...(order.goal === 'heal' ? { host: order.host } : {}),
    ...(order.goal !== 'heal' && order.without !== undefined ? { without: order.without } : {}),
  }
  const fate = FATES.find((known) => known === ref) ?? 'main'
  const entry: Entry = { release, request, fate, cancelled: new AbortController(), ended: Promise.resolve() }
  const previous = entries.at(-1)
  entries.push(entry)
  entry.ended = playStory(world, entry, previous)
  return release
}

function cancel(world: World, { release, cancelled }: Entry, actor: string): Release {
  if (release.outcome !== undefined)
    throw refusal('release/ended', `release ${release.number}`, `has ended already: ${release.outcome}`)
  world.log.add(release, { kind: 'note', text: `${actor} asked to cancel in ${release.phase}` })
  cancelled.abort()
  return release
}

function statusOf(world: World, environment: EnvironmentRef): EnvironmentStatus {
  const releases = entriesOf(world, environment).map((entry) => entry.release)
  const live = releases.find((release) => release.live)
  const active = releases.find((release) => release.outcome === undefined)
  return {
    fleet: environment.fleet,
    environment: environment.environment,
    ...(live === undefined ? {} : { live }),
    ...(active === undefined ? {} : { active }),
    services: world.services.map((service, index) => {
      const place = { service, host: 'local', port: 3080 + index, warm: false }
      if (live === undefined) return { ...place, state: 'absent' }
      const slot = { service, slot: 'a', state: 'running', restarts: 0, startedAt: live.requestedAt } as const
      return { ...place, state: 'ready', artifact: 'a1b2c3d4e5f6a7b8c9d0', release: live.number, slot }
    }),
    hosts: [{ host: 'local', reachable: true, router: live === undefined ? 'stopped' : 'running' }],
  }
}

function driftIn(
  findings: readonly DriftFinding[],
  { fleet, environment, live }: EnvironmentStatus,
  deep: boolean,
): EnvironmentDrift {
  if (live === undefined) return { fleet, environment, deep, hosts: [] }
  return { fleet, environment, release: live.number, deep, hosts: [{ host: 'local', reachable: true, findings }] }
}

async function* logLines(world: World, environment: EnvironmentRef, options: LogOptions): AsyncGenerator<LogLine> {
  entriesOf(world, environment)
  const { services = world.services, lines, follow, signal } = options
  const stranger = services.find((name) => !world.services.includes(name))
  if (stranger !== undefined) throw refusal('release/unknown-service', `service ${stranger}`, 'is not in the fleet')
  const say = (service: string, line: string): LogLine => ({ host: 'local', service, slot: 'a', line })
  for (const service of services) {
    for (let at = lines; at > 0; at--) yield say(service, `${service} says ${at}`)
  }
  if (!follow) return
  for (let at = 1; !signal.aborted; at++) {
    await sleep(20, undefined, { signal }).catch(() => {})
    for (const service of services) yield say(service, `${service} goes on ${at}`)
  }
}

function entryOf(world: World, ref: ReleaseRef): Entry {
  const entry = entriesOf(world, ref)[ref.number - 1]
  if (entry === undefined)
    throw refusal('release/unknown', `${ref.fleet}/${ref.environment}`, `there is no release ${ref.number}`)
  return entry
}

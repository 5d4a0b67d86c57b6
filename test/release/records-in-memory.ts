import type { HostMarks } from '../../src/release/host-marks.ts'
import type { Permits } from '../../src/release/permit.ts'
import type { RecordStore, StoredRelease } from '../../src/release/record-store.ts'
import type { EnvironmentRef, HostMark, ReleaseEvent, ReleaseRef } from '../../src/release/records.ts'
import { refusal } from '../../src/problem/problem.ts'

export interface RecordsInMemory extends RecordStore {
  /** What was told of a release, in order. */
  eventsOf(release: ReleaseRef): readonly ReleaseEvent[]
}

/** The records of one process, as JSON would keep them. */
export function recordsInMemory(): RecordsInMemory {
  const releases: StoredRelease[] = []
  const events: ReleaseEvent[] = []
  const settings = new Map<string, string>()

  function at(release: ReleaseRef): number {
    const index = releases.findIndex((each) => isOf(each, release) && each.number === release.number)
    if (index === -1) throw refusal('release/unknown', `release ${release.number}`, 'there is none')
    return index
  }
  function replace(release: ReleaseRef, change: Partial<StoredRelease>): void {
    const index = at(release)
    releases[index] = copy({ ...releases[index]!, ...change })
  }
  const kept = (environment: EnvironmentRef, before: number): StoredRelease[] =>
    releases.filter(
      (each) =>
        isOf(each, environment) && each.number < before && each.outcome === 'kept' && each.order.goal !== 'heal',
    )

  return {
    async add(environment, repository, { order, actor, reason }) {
      const release: StoredRelease = {
        ...environment,
        number: releases.filter((each) => isOf(each, environment)).length + 1,
        goal: order.goal,
        phase: 'queued',
        live: false,
        actor,
        repository,
        order,
        requestedAt: Date.now(),
        problems: [],
        deviations: [],
        ...(reason === undefined ? {} : { reason }),
        ...(order.goal === 'heal' ? { host: order.host } : {}),
        ...(order.goal !== 'heal' && order.without !== undefined ? { without: order.without } : {}),
      }
      releases.push(release)
      return release
    },
    find: async (release) => releases[at(release)]!,
    list: async (environment, { limit }) =>
      releases
        .filter((each) => isOf(each, environment))
        .toReversed()
        .slice(0, limit),
    environments: async () => [
      ...new Map(
        releases.map(({ fleet, environment }) => [`${fleet}/${environment}`, { fleet, environment }]),
      ).values(),
    ],
    repository: async (fleet) => releases.find((each) => each.fleet === fleet)?.repository,
    live: async (environment) => releases.find((each) => isOf(each, environment) && each.live),
    open: async (environment) =>
      releases.filter((each) => (environment === undefined || isOf(each, environment)) && each.outcome === undefined),
    previous: async (environment, before) => kept(environment, before).at(-1),
    change: async (release, change) => replace(release, change),
    async enter(release, { phase, worker }) {
      const before = releases[at(release)]!
      if (before.phase === phase && before.worker === worker) return undefined
      replace(release, { phase, worker, startedAt: before.startedAt ?? Date.now() })
      return { phase: before.phase, ...(before.worker === undefined ? {} : { worker: before.worker }) }
    },
    async setLive(environment, number) {
      for (const each of releases.filter((one) => isOf(one, environment))) {
        replace(each, { live: each.number === number })
      }
    },
    async markCancelled(release, actor) {
      if (releases[at(release)]!.outcome !== undefined) return false
      replace(release, { cancelledBy: actor })
      return true
    },
    async end(release, { outcome, problems, traffic }) {
      if (releases[at(release)]!.outcome !== undefined) return
      replace(release, {
        phase: 'ended',
        outcome,
        problems,
        endedAt: Date.now(),
        ...(traffic === undefined ? {} : { traffic }),
      })
    },
    async emit({ fleet, environment, number }, body) {
      events.push(copy({ fleet, environment, number, id: events.length + 1, at: Date.now(), body }))
    },
    eventsAfter: async (release, afterId) => eventsOf(release).filter(({ id }) => id > afterId),
    async setting(name, make) {
      const value = settings.get(name) ?? make()
      settings.set(name, value)
      return value
    },
    eventsOf,
  }

  function eventsOf(release: ReleaseRef): ReleaseEvent[] {
    return events.filter((event) => isOf(event, release) && event.number === release.number)
  }
}

export function marksInMemory(): HostMarks {
  const marks = new Map<string, HostMark>()
  const keyOf = ({ fleet, environment }: EnvironmentRef, host: string): string => `${fleet}/${environment}/${host}`
  return {
    of: async (environment) =>
      [...marks].filter(([key, { host }]) => key === keyOf(environment, host)).map(([, mark]) => mark),
    async set(environment, added) {
      for (const mark of added) {
        const key = keyOf(environment, mark.host)
        const old = marks.get(key)
        const isWorse = old?.untidy === true && mark.untidy !== true
        if (old === undefined || isWorse) marks.set(key, { ...mark, tries: 0 })
      }
    },
    async clear(environment, hosts, since) {
      for (const host of hosts) {
        const key = keyOf(environment, host)
        if (since === undefined || marks.get(key)?.since === since) marks.delete(key)
      }
    },
    all: async () =>
      [...marks].map(([key, mark]) => {
        const [fleet = '', environment = ''] = key.split('/')
        return { fleet, environment, ...mark }
      }),
    async takeTry(environment, { host, tries }) {
      const key = keyOf(environment, host)
      const mark = marks.get(key)
      if (mark?.tries !== tries) return false
      marks.set(key, { ...mark, tries: tries + 1, triedAt: Date.now() })
      return true
    },
  }
}

/** @param epoch grows whenever a process was given up for dead. */
export function permitsInMemory(epoch: () => Promise<number>): Permits {
  const permits = new Map<string, { holder: string; epoch: number; number: number }>()
  let last = 0
  const keyOf = ({ fleet, environment }: EnvironmentRef): string => `${fleet}/${environment}`
  return {
    async take(environment, holder) {
      const now = await epoch()
      const held = permits.get(keyOf(environment))
      if (held?.holder === holder && held.epoch === now) return held.number
      last = Math.max(last + 1, Date.now())
      permits.set(keyOf(environment), { holder, epoch: now, number: last })
      return last
    },
    async current(environment, holder) {
      const now = await epoch()
      const held = permits.get(keyOf(environment))
      if (held?.holder !== holder) throw refusal('release/permit-lost', keyOf(environment), `${holder} has no permit`)
      if (held.epoch < now) {
        last = Math.max(last + 1, Date.now())
        permits.set(keyOf(environment), { holder, epoch: now, number: last })
        return last
      }
      return held.number
    },
  }
}

function isOf(one: EnvironmentRef, other: EnvironmentRef): boolean {
  return one.fleet === other.fleet && one.environment === other.environment
}

function copy<T>(value: T): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON keeps of a value has its type
  return JSON.parse(JSON.stringify(value)) as T
}

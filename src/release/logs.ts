import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Refusal, refusal } from '../problem/problem.ts'
import type { SlotName } from '../manifest/fleet.ts'
import { nearMiss } from '../problem/near-miss.ts'
import type { SlotRef } from '../runtimes/runtime.ts'
import type { Context } from './context.ts'
import type { LogLine, LogNotice, LogOptions } from './control-plane.ts'
import type { EnvironmentRef } from './records.ts'
import { blueprintOf, sites } from './scope.ts'
import type { Site } from './scope.ts'

/** Lines that wait for a slow reader; beyond that the oldest are dropped, so that a chatty service cannot fill the memory. */
const MOST_WAITING = 10_000
/** A host that cannot be followed is asked again after so long. */
const AGAIN_MS = 2_000
const SLOTS: readonly SlotName[] = ['a', 'b']

/** The last lines of the live slots of some or all services, and with `follow` everything that comes after. */
export async function* logLines(
  context: Context,
  environment: EnvironmentRef,
  options: LogOptions,
): AsyncGenerator<LogLine | LogNotice> {
  const live = await context.records.live(environment)
  if (live === undefined)
    throw refusal(
      'release/nothing-live',
      `${environment.fleet}/${environment.environment}`,
      'nothing is live, so nothing logs',
    )
  const known = blueprintOf(live).services.map((service) => service.name)
  for (const service of options.services ?? []) {
    if (known.includes(service)) continue
    const near = nearMiss(service, known)
    throw refusal(
      'release/unknown-service',
      `service ${service}`,
      'is not in the fleet',
      near === undefined ? `It has ${known.join(', ')}.` : `Did you mean ${near}?`,
    )
  }
  const chosen = new Set(options.services?.length ? options.services : known)
  const all = sites(context, environment.fleet, blueprintOf(live))
  const slots = await answering(all, async (site) => ({ site, slots: await liveSlots(site, chosen) }))
  if (options.follow) {
    yield* follow(all, chosen, options)
    return
  }
  for (const { site, slots: refs } of slots) {
    for (const ref of refs) {
      for (const line of await site.runtime.tail(site.host, site.root, ref, options.lines))
        yield { host: site.host.name, ...ref, line }
    }
  }
}

/** Of the hosts that answer; a Refusal only when none does. */
async function answering<T>(all: readonly Site[], ask: (site: Site) => Promise<T>): Promise<T[]> {
  const answers = await Promise.allSettled(all.map(ask))
  const found = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value)
  const [failure] = answers.filter((answer) => answer.status === 'rejected')
  if (failure !== undefined && found.length === 0) throw failure.reason
  return found
}

async function liveSlots(site: Site, chosen: ReadonlySet<string>): Promise<SlotRef[]> {
  const choices = (await site.router.observe(site.host, site.root)).live?.choices ?? {}
  return Object.entries(choices)
    .filter(([service]) => chosen.has(service))
    .map(([service, choice]) => ({ service, slot: choice.slot }))
}

/** All of them until the signal aborts, over releases: both slots of a service are followed from the beginning. */
async function* follow(
  all: readonly Site[],
  chosen: ReadonlySet<string>,
  { lines, signal }: LogOptions,
): AsyncGenerator<LogLine | LogNotice> {
  const waiting: (LogLine | LogNotice)[] = []
  let wake: (() => void) | undefined
  const stop = new AbortController()
  const told = (said: LogLine | LogNotice): void => {
    if (waiting.length >= MOST_WAITING) waiting.shift()
    waiting.push(said)
    wake?.()
  }
  const until = AbortSignal.any([signal, stop.signal])
  const ended = Promise.all(all.map((site) => followSite(site, chosen, { lines, signal: until, told })))
  let over = false
  const finish = (): void => {
    over = true
    wake?.()
  }
  ended.then(finish, finish)
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!
      if (over) break
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    await ended
  } finally {
    stop.abort()
  }
}

interface Follower {
  readonly lines: number
  readonly signal: AbortSignal
  readonly told: (said: LogLine | LogNotice) => void
}

/** Goes on when the host was away: nobody who watches a fleet at night wants the others to fall silent with one. */
async function followSite(site: Site, chosen: ReadonlySet<string>, { lines, signal, told }: Follower): Promise<void> {
  const host = site.host.name
  let isAway = false
  const returned = (): void => {
    if (isAway) told({ host, notice: 'is there again; what it has logged meanwhile is told without --follow' })
    isAway = false
  }
  for (let shown = lines; !signal.aborted; shown = 0) {
    try {
      const live = await liveSlots(site, chosen)
      // A host that answers and whose log cannot be read is not there again.
      const back = setTimeout(returned, AGAIN_MS)
      await followSlots(site, { live, chosen }, { lines: shown, signal, told }).finally(() => clearTimeout(back))
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Refusal)) throw error
      if (!isAway) told({ host, notice: `cannot be followed now, and is tried again: ${error.problems[0]?.what}` })
      isAway = true
      await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

interface Followed {
  readonly live: readonly SlotRef[]
  readonly chosen: ReadonlySet<string>
}

/** The last lines of those that are live, and what comes from all. */
async function followSlots(site: Site, { live, chosen }: Followed, { lines, signal, told }: Follower): Promise<void> {
  if (signal.aborted) return
  const isLive = ({ service, slot }: SlotRef): boolean =>
    live.some((each) => each.service === service && each.slot === slot)
  const both = [...chosen].flatMap((service) => SLOTS.map((slot): SlotRef => ({ service, slot })))
  const either = new AbortController()
  const followed = (slots: readonly SlotRef[], last: number): Promise<void> =>
    site.runtime.follow(site.host, site.root, slots, {
      lines: last,
      signal: AbortSignal.any([signal, either.signal]),
      onLine: ({ service, slot }, line) => told({ host: site.host.name, service, slot, line }),
    })
  try {
    await Promise.all([
      followed(live, lines),
      followed(
        both.filter((slot) => !isLive(slot)),
        0,
      ),
      once(signal, 'abort', { signal: either.signal }),
    ])
  } finally {
    either.abort()
  }
}

import { refusal } from '../problem/problem.ts'
import { nearMiss } from '../problem/near-miss.ts'
import type { SlotRef } from '../runtimes/runtime.ts'
import type { Context } from './context.ts'
import type { LogLine, LogOptions } from './control-plane.ts'
import type { EnvironmentRef } from './records.ts'
import { blueprintOf, sites } from './scope.ts'
import type { Site } from './scope.ts'

/** Lines that wait for a slow reader; beyond that the oldest are dropped, so that a chatty service cannot fill the memory. */
const MOST_WAITING = 10_000

/** The last lines of the live slots of some or all services, and with `follow` everything that comes after. */
export async function* logLines(
  context: Context,
  environment: EnvironmentRef,
  options: LogOptions,
): AsyncGenerator<LogLine> {
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
    yield* follow(slots, options)
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

async function* follow(
  sources: readonly { site: Site; slots: readonly SlotRef[] }[],
  { lines, signal }: LogOptions,
): AsyncGenerator<LogLine> {
  const waiting: LogLine[] = []
  let wake: (() => void) | undefined
  const stop = new AbortController()
  const ended = Promise.all(
    sources.map(({ site, slots }) =>
      site.runtime.follow(site.host, site.root, slots, {
        lines,
        signal: AbortSignal.any([signal, stop.signal]),
        onLine: (slot, line) => {
          if (waiting.length >= MOST_WAITING) waiting.shift()
          waiting.push({ host: site.host.name, service: slot.service, slot: slot.slot, line })
          wake?.()
        },
      }),
    ),
  )
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

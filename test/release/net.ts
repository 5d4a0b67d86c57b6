import { refusal } from '../../src/problem/problem.ts'

/** Where the connection to a host breaks: at the n-th thing that is asked of it. */
export interface Cut {
  readonly host: string
  readonly at: number
  /** `before`: it is not done. `after`: it is done, and nobody hears of it. */
  readonly when: 'before' | 'after'
  /** The next thing finds the host again. */
  readonly briefly?: boolean
}

/** The connections to hosts of a test. */
export interface Net {
  /** Everything that is asked of a host goes through here. */
  ask<T>(host: string, work: () => Promise<T>): Promise<T>
  cut(cut: Cut): void
  /** From now on nothing reaches this host. */
  away(host: string): void
  back(host: string): void
  isAway(host: string): boolean
  /** How much was asked of a host so far, or of all of them. */
  asked(host?: string): number
  /** Calls back when so much has been asked of all hosts, before the next thing is. */
  once(asked: number, callback: () => void): void
}

export function net(): Net {
  const away = new Set<string>()
  const counts = new Map<string, number>()
  let planned: Cut | undefined
  let happening: { readonly at: number; readonly callback: () => void } | undefined
  let total = 0

  return {
    async ask(host, work) {
      const count = (counts.get(host) ?? 0) + 1
      counts.set(host, count)
      if (total++ === happening?.at) happening.callback()
      if (away.has(host)) throw unreachable(host)
      if (planned?.host !== host || planned.at !== count) return work()
      const { when, briefly = false } = planned
      if (!briefly) away.add(host)
      if (when === 'after') await work()
      throw briefly ? cutOff(host) : unreachable(host)
    },
    cut(cut) {
      planned = cut
    },
    away: (host) => void away.add(host),
    back(host) {
      away.delete(host)
      planned = undefined
    },
    isAway: (host) => away.has(host),
    asked: (host) => (host === undefined ? total : (counts.get(host) ?? 0)),
    once(at, callback) {
      happening = { at, callback }
    },
  }
}

function unreachable(host: string): Error {
  return refusal('hosts/unreachable', `host ${host}`, 'did not answer in time', 'Is the host up?')
}

function cutOff(host: string): Error {
  return refusal('hosts/cut-off', `host ${host}`, 'the commands were cut off (transport)')
}

import type { ServiceTraffic } from '../router.ts'

/** A request of the live set that has been answered. */
export interface Seen {
  readonly service: string
  /** Arrival, milliseconds since the epoch. */
  readonly at: number
  readonly ms: number
  readonly status: number
  readonly rescued: boolean
  /** Came through the router of another host, where it is counted. */
  readonly fromPeer: boolean
}

/** Traffic per service of the requests that arrived in [from, to). */
export function addUp(
  seen: readonly Seen[],
  { from, to }: { from: number; to: number },
): Record<string, ServiceTraffic> {
  const inside = seen.filter(({ at, fromPeer, rescued }) => at >= from && at < to && (!fromPeer || rescued))
  const services = Map.groupBy(inside, ({ service }) => service)
  return Object.fromEntries([...services].map(([service, requests]) => [service, sum(requests)]))
}

function sum(seen: readonly Seen[]): ServiceTraffic {
  const requests = seen.filter(({ fromPeer }) => !fromPeer)
  const failed = requests.filter(({ status }) => status >= 500).length
  const rescued = seen.filter((request) => request.rescued).length
  const times = requests.map(({ ms }) => ms).sort((a, b) => a - b)
  const percentile = (share: number): number => times[Math.ceil(share * times.length) - 1] ?? 0
  return {
    requests: requests.length,
    failed,
    rescued,
    slotFailures: failed + rescued,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
  }
}

/** One request that ended. Times are milliseconds; `sentAt` is since the epoch. `failure` is absent when it went well. */
export interface Sample {
  readonly service: string
  readonly sentAt: number
  readonly latencyMs: number
  readonly failure?: string
}

export interface Counts {
  /** Ended requests: ok and failed together. */
  readonly sent: number
  readonly ok: number
  readonly failed: number
  /** How many failed for which reason: `status 502`, `ECONNRESET`, `timeout`, `truncated`, … */
  readonly reasons: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface TrafficReport extends Counts {
  readonly services: Readonly<Record<string, Counts>>
  /** The first failures of the window, oldest first. */
  readonly firstFailures: readonly Sample[]
}

/** Counts of the requests that were sent within one second, which starts at `second` (milliseconds since the epoch). */
export interface Second extends Counts {
  readonly second: number
  readonly service: string
}

const FAILURES_SHOWN = 20

/** Totals of the requests sent in [from, to), and the same for each service. */
export function summarize(samples: readonly Sample[], from = 0, to = Infinity): TrafficReport {
  const within = samples.filter((sample) => sample.sentAt >= from && sample.sentAt < to)
  const failures = within.filter((sample) => sample.failure !== undefined)
  return {
    ...count(within),
    services: Object.fromEntries(groups(within, (sample) => sample.service).map(([name, own]) => [name, count(own)])),
    firstFailures: failures.toSorted((a, b) => a.sentAt - b.sentAt).slice(0, FAILURES_SHOWN),
  }
}

/** The same by service and second, in the order of time. */
export function bySecond(samples: readonly Sample[]): Second[] {
  const second = (sample: Sample): number => Math.floor(sample.sentAt / 1000) * 1000
  return groups(samples, (sample) => `${second(sample)} ${sample.service}`)
    .map(([, own]) => ({ second: second(own[0]), service: own[0].service, ...count(own) }))
    .toSorted((a, b) => a.second - b.second || a.service.localeCompare(b.service))
}

function count(samples: readonly Sample[]): Counts {
  const failures = samples.flatMap((sample) => sample.failure ?? [])
  const latencies = Float64Array.from(samples, (sample) => sample.latencyMs).sort()
  return {
    sent: samples.length,
    ok: samples.length - failures.length,
    failed: failures.length,
    reasons: Object.fromEntries(groups(failures, (reason) => reason).map(([reason, own]) => [reason, own.length])),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? 0,
  }
}

/** Nearest rank; 0 when nothing was measured. */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function groups<T>(items: readonly T[], key: (item: T) => string): [string, [T, ...T[]]][] {
  const found = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const group = found.get(key(item))
    if (group === undefined) found.set(key(item), [item])
    else group.push(item)
  }
  return [...found]
}

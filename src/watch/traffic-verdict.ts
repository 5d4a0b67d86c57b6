import type { Verification } from '../manifest/fleet.ts'

/** What is counted of one service within a window. */
export interface TrafficCount {
  readonly requests: number
  /** Requests that the chosen slot failed, whether or not the client noticed. */
  readonly slotFailures: number
}

export interface ServiceVerdict {
  readonly service: string
  readonly verdict: 'keep' | 'undo'
  /** Lower-case, no full stop: `12 of 340 requests failed (3.5 %), 0.1 % before; 1 % more is accepted`. */
  readonly reason: string
  /** Shares of failed requests, 0..1; undefined where too few were seen to say. */
  readonly before: number | undefined
  readonly after: number | undefined
}

export interface TrafficVerdict {
  /** `undo` as soon as one service says so: a release is the whole set. */
  readonly verdict: 'keep' | 'undo'
  /** Sorted by name. */
  readonly services: readonly ServiceVerdict[]
}

export interface Evidence {
  readonly before: Readonly<Record<string, TrafficCount>>
  readonly after: Readonly<Record<string, TrafficCount>>
  readonly policy: Pick<Verification, 'errorRise' | 'minRequests'>
}

/**
 * Judges a release by real traffic before and after its switch. A service speaks against it when the share of failed
 * requests has risen by more than `errorRise`. Fewer than `minRequests` after the switch say nothing. Fewer than that
 * before it count as no failures before: what three requests suffered must not excuse a thousand.
 */
export function judge({ before, after, policy }: Evidence): TrafficVerdict {
  const services = Object.keys(after)
    .sort()
    .map((service) => judgeService({ service, before: before[service], after: after[service], policy }))
  return { verdict: services.some(({ verdict }) => verdict === 'undo') ? 'undo' : 'keep', services }
}

interface ServiceEvidence {
  readonly service: string
  readonly before: TrafficCount | undefined
  readonly after: TrafficCount | undefined
  readonly policy: Evidence['policy']
}

function judgeService({ service, before, after, policy }: ServiceEvidence): ServiceVerdict {
  const shareBefore = shareOf(before, policy.minRequests)
  const shareAfter = shareOf(after, policy.minRequests)
  const shares = { service, before: shareBefore, after: shareAfter }
  if (after === undefined || shareAfter === undefined) {
    const reason = `only ${after?.requests ?? 0} requests, fewer than ${policy.minRequests} say nothing`
    return { ...shares, verdict: 'keep', reason }
  }
  const undo = shareAfter - (shareBefore ?? 0) > policy.errorRise
  const past = shareBefore === undefined ? 'too few before to compare' : `${percent(shareBefore)} before`
  const rule = `${percent(policy.errorRise)} more is accepted`
  return {
    ...shares,
    verdict: undo ? 'undo' : 'keep',
    reason: `${after.slotFailures} of ${after.requests} requests failed (${percent(shareAfter)}), ${past}; ${rule}`,
  }
}

function shareOf(count: TrafficCount | undefined, minRequests: number): number | undefined {
  if (count === undefined || count.requests === 0 || count.requests < minRequests) return undefined
  return count.slotFailures / count.requests
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`
}

import { Agent, request as open, type IncomingMessage } from 'node:http'
import { seeded, weighted, type Draw } from './random.ts'
import { bySecond, summarize, type Sample, type Second, type TrafficReport } from './traffic-record.ts'

/** One kind of request that a service gets; the more weight, the more often. */
export interface RequestKind {
  readonly weight: number
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: (draw: Draw) => string
  /** A body; a string is JSON, bytes are an upload. */
  readonly body?: (draw: Draw) => string | Uint8Array
}

export interface Target {
  readonly service: string
  readonly host: string
  readonly port: number
  readonly kinds: readonly RequestKind[]
}

export interface TrafficOptions {
  readonly targets: readonly Target[]
  /** Over all targets together, which take turns. */
  readonly requestsPerSecond: number
  /** Same seed, same requests in the same order. */
  readonly seed: number
  /** A request without its whole answer by then has failed. Default 10 s. */
  readonly timeoutMs?: number
}

export interface Traffic {
  /** Sends no more, waits for the answers that are out, closes every connection. */
  stop(): Promise<void>
  /** Waits for the answers that are out now, and goes on meanwhile. */
  settled(): Promise<void>
  /** What became of the requests sent in [from, to), milliseconds since the epoch; those still out do not count yet. */
  report(from?: number, to?: number): TrafficReport
  seconds(): Second[]
  /** Totals so far. */
  readonly stats: { readonly sent: number; readonly failed: number; readonly inFlight: number }
}

const PACE_MS = 10
const SWEEP_MS = 250
/** A generator that falls this far behind its own clock skips ahead, so that a stalled machine is not flooded later. */
const LARGEST_BURST_S = 1
/** Shorter than any server's keep-alive: an idle connection is closed from our side, or its end would race a request. */
const IDLE_MS = 4_000
const MOST_IN_FLIGHT = 4_000

interface Pending {
  readonly startedAt: number
  readonly fail: (reason: string) => void
}

/**
 * Open-loop traffic over kept connections: requests leave at their time whether or not earlier ones were answered, so a service
 * that stalls is seen by every request it would have had. Nothing is retried.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const { targets, requestsPerSecond, timeoutMs = 10_000 } = options
  const draw = seeded(options.seed)
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, timeout: IDLE_MS })
  const samples: Sample[] = []
  const pending = new Set<Pending>()
  const totals = { sent: 0, failed: 0 }
  let due = 0
  let last = performance.now()

  function sendDue(): void {
    const now = performance.now()
    due = Math.min(due + ((now - last) / 1000) * requestsPerSecond, requestsPerSecond * LARGEST_BURST_S)
    last = now
    for (; due >= 1; due--) send(targets[totals.sent++ % targets.length])
  }

  function send(target: Target | undefined): void {
    if (target === undefined) return
    const sentAt = Date.now()
    const startedAt = performance.now()
    const done = (failure?: string): void => {
      if (!pending.delete(entry)) return
      if (failure !== undefined) totals.failed++
      const latencyMs = performance.now() - startedAt
      samples.push({ service: target.service, sentAt, latencyMs, ...(failure === undefined ? {} : { failure }) })
    }
    const kind = weighted(draw, target.kinds)
    const full = pending.size >= MOST_IN_FLIGHT
    const abandon = full ? undefined : exchange({ target, kind, agent, draw }, done)
    const entry: Pending = { startedAt, fail: (reason) => (done(reason), abandon?.()) }
    pending.add(entry)
    if (full) entry.fail('not sent: too many are waiting')
  }

  function failOverdue(): void {
    const limit = performance.now() - timeoutMs
    for (const entry of pending) if (entry.startedAt < limit) entry.fail('timeout')
  }

  const pace = setInterval(sendDue, PACE_MS)
  const sweep = setInterval(failOverdue, SWEEP_MS)
  return {
    async stop() {
      clearInterval(pace)
      while (pending.size > 0) await new Promise((resolve) => setTimeout(resolve, PACE_MS))
      clearInterval(sweep)
      agent.destroy()
    },
    async settled() {
      const out = [...pending]
      while (out.some((entry) => pending.has(entry))) await new Promise((resolve) => setTimeout(resolve, PACE_MS))
    },
    report: (from, to) => summarize(samples, from, to),
    seconds: () => bySecond(samples),
    get stats() {
      return { ...totals, inFlight: pending.size }
    },
  }
}

interface Exchange {
  readonly target: Target
  readonly kind: RequestKind
  readonly agent: Agent
  readonly draw: Draw
}

/** One request to the end of its answer. Calls `done` once, later than its return, which gives it up. */
function exchange({ target, kind, agent, draw }: Exchange, done: (failure?: string) => void): () => void {
  const { host, port } = target
  const path = kind.path(draw)
  const body = kind.body?.(draw)
  const request = open({ agent, host, port, method: kind.method, path, headers: headersOf(body) })
  request.on('response', (response: IncomingMessage) => {
    const status = response.statusCode ?? 0
    response.on('end', () => done(status >= 200 && status < 400 ? undefined : `status ${status}`))
    response.on('error', () => done('truncated'))
    response.resume()
  })
  request.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  request.end(body)
  return () => request.destroy()
}

function headersOf(body: string | Uint8Array | undefined): Record<string, string | number> {
  if (body === undefined) return {}
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
  return { 'content-type': type, 'content-length': Buffer.byteLength(body) }
}

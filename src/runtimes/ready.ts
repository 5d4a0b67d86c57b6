import type { ProbeAnswer } from '../hosts/host.ts'
import type { Readiness } from '../manifest/fleet.ts'
import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import { scrub } from '../secrets/secret.ts'
import type { Secret } from '../secrets/secret.ts'
import { watch } from './poller.ts'
import type { PollTarget } from './poller.ts'
import type { SlotRef, SlotReport } from './runtime.ts'

/** Enough for what a program throws: Node tells what is wrong above the places of the code that it came through. */
const SHOWN_LOG_LINES = 20
/** A slot that has answered in time has kept its time; a host that is busy may take so long to tell of its process. */
const LATE_REPORT_MS = 30_000

export interface AwaitReady extends PollTarget {
  readonly slot: SlotRef
  /** The slot's own port; without one it is ready when it has run for `readiness.steadyMs`. */
  readonly port?: number
  readonly readiness: Readiness
  readonly signal: AbortSignal
  /** Called after every answer. */
  readonly onProgress?: (progress: { readonly polls: number; readonly answer: string }) => void
  /** What must not be shown when the slot's log is quoted. */
  readonly secrets?: readonly Secret[]
}

export interface Ready {
  /** From the call of {@link awaitReady}. */
  readonly readyAfterMs: number
  /** How often the slot was asked over HTTP. */
  readonly polls: number
}

/**
 * Waits until a slot can work: its path answers 2xx and its process, looked at after that, runs. Throws a Refusal
 * with the last lines of its log: `runtimes/exited` as soon as it has ended by itself, `runtimes/never-ready` when
 * the time is over. Rejects with the signal's reason on abort. Calls for one host and environment share one loop.
 */
export async function awaitReady(options: AwaitReady): Promise<Ready> {
  options.signal.throwIfAborted()
  const verdict = await verdictOf(options)
  if (verdict.kind === 'ready') {
    return { readyAfterMs: verdict.afterMs, polls: verdict.polls }
  }
  throw await explain(options, verdict)
}

type Verdict =
  | { readonly kind: 'ready'; readonly afterMs: number; readonly polls: number }
  | { readonly kind: 'exited'; readonly report: SlotReport }
  | { readonly kind: 'never-ready'; readonly lastAnswer: string; readonly polls: number }

function verdictOf(options: AwaitReady): Promise<Verdict> {
  const { signal, readiness, slot, port } = options
  return new Promise((resolve, reject) => {
    const waiting = new Waiting(options)
    const end = (act: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      letGo()
      act()
    }
    const conclude = (verdict: Verdict | undefined): void => {
      if (verdict !== undefined) {
        end(() => resolve(verdict))
      }
    }
    const onAbort = (): void => end(() => reject(signal.reason))
    let timer = setTimeout(() => {
      if (!waiting.answered) return conclude(waiting.timedOut())
      timer = setTimeout(() => conclude(waiting.timedOut()), LATE_REPORT_MS)
    }, readiness.timeoutMs)
    signal.addEventListener('abort', onAbort, { once: true })
    const letGo = watch(options, {
      slot,
      ...(port === undefined ? {} : { question: { port, path: readiness.path } }),
      wantsReport: () => waiting.answered,
      onAnswer: (answer) => waiting.answer(answer),
      onReport: (report) => conclude(waiting.report(report)),
      onError: (error) => end(() => reject(error)),
    })
  })
}

/** What is known of one waiting slot. */
class Waiting {
  readonly #options: AwaitReady
  readonly #began = performance.now()
  #polls = 0
  #lastAnswer = 'no answer yet'
  #firstRestarts: number | undefined
  #runningSince: number | undefined
  /** It has answered well; whether it is the slot's own process that did shows in the next report. */
  answered = false

  constructor(options: AwaitReady) {
    this.#options = options
  }

  answer(answer: ProbeAnswer): void {
    this.#polls += 1
    this.answered = answer.status !== undefined && answer.status >= 200 && answer.status < 300
    this.#lastAnswer = describe(answer)
    this.#options.onProgress?.({ polls: this.#polls, answer: this.#lastAnswer })
  }

  report(report: SlotReport): Verdict | undefined {
    const now = performance.now()
    this.#firstRestarts ??= report.restarts
    if (report.state !== 'running' || report.restarts > this.#firstRestarts) {
      return { kind: 'exited', report }
    }
    this.#runningSince ??= now
    const { port, readiness } = this.#options
    const ready = port === undefined ? now - this.#runningSince >= readiness.steadyMs : this.answered
    return ready ? { kind: 'ready', afterMs: now - this.#began, polls: this.#polls } : undefined
  }

  timedOut(): Verdict {
    return { kind: 'never-ready', lastAnswer: this.#lastAnswer, polls: this.#polls }
  }
}

function describe(answer: ProbeAnswer): string {
  if (answer.status === undefined) {
    return answer.error ?? 'no answer'
  }
  const body = answer.body.trim().slice(0, 200)
  return body === '' ? `status ${answer.status}` : `status ${answer.status}: ${body}`
}

async function explain(options: AwaitReady, verdict: Exclude<Verdict, { kind: 'ready' }>): Promise<Refusal> {
  const { host, runtime, root, slot, readiness, port, secrets = [] } = options
  const at = `host ${host.name}, ${slot.service}.${slot.slot}`
  const lines = await runtime.tail(host, root, slot, SHOWN_LOG_LINES)
  const log = lines.length === 0 ? 'it wrote nothing' : `last lines:\n${lines.map((line) => `    ${line}`).join('\n')}`
  if (verdict.kind === 'exited') {
    const times = verdict.report.restarts > 1 ? ` ${verdict.report.restarts} times` : ''
    const what =
      verdict.report.state === 'absent' ? 'was never started' : `exited by itself${times} before it was ready`
    return refusal(
      'runtimes/exited',
      at,
      scrub(`${what}; ${log}`, secrets),
      'Does it start with the same variables on your machine?',
    )
  }
  const within = `within ${readiness.timeoutMs} ms`
  const what =
    port === undefined
      ? `did not run for ${readiness.steadyMs} ms ${within}`
      : `gave no 2xx for ${readiness.path} on port ${port} ${within}, its last answer: ${verdict.lastAnswer}`
  return refusal(
    'runtimes/never-ready',
    at,
    scrub(`${what}; ${log}`, secrets),
    'Is the path right, and is everything there that the service needs? `ready.timeout` in drover.yaml sets the time.',
  )
}

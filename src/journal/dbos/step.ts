import { DBOS } from '@dbos-inc/dbos-sdk'
import { attempt } from '../attempts.ts'
import type { StepOptions, WorkflowError } from '../engine.ts'
import { describeFailure, poisoned } from '../failure.ts'
import { never } from '../silence.ts'
import { pause } from './endings.ts'
import type { Worker } from './worker.ts'

/** What a step leaves in the journal. A failure is a value there, so that a replay throws just what the run threw. */
export type StepRecord<T> = { readonly done: T } | { readonly failed: WorkflowError }

export interface Step<T> {
  readonly workflow: string
  /** `<node>.<step>`. */
  readonly name: string
  readonly lane: string | undefined
  readonly body: (signal: AbortSignal) => Promise<T>
  readonly options: StepOptions
  readonly maxTries: number
}

/** Runs a step's body. Only called when the journal has no record of it. */
export async function runBody<T>(worker: Worker, step: Step<T>): Promise<StepRecord<T>> {
  const cancelled = cancelSignal()
  if (worker.closing.aborted) return never()
  const tries = await begin(worker, step)
  if (tries > step.maxTries) return { failed: describeFailure(poisoned(step.name, step.maxTries)) }
  if (tries > 1 && tries === step.maxTries) return lastTry(worker, step, cancelled)
  return carryOut(worker, step, cancelled)
}

/**
 * A step that was under way when its worker died may have killed it, or may have been a bystander. The last try of
 * each suspect is therefore made while no other suspect's is, so that no bystander is condemned with the culprit.
 */
async function lastTry<T>(worker: Worker, step: Step<T>, cancelled: AbortSignal): Promise<StepRecord<T>> {
  await worker.tables.postpone(step.workflow)
  return worker.suspects.pass(async () => {
    await begin(worker, step)
    return carryOut(worker, step, cancelled)
  })
}

async function begin<T>(worker: Worker, step: Step<T>): Promise<number> {
  // Its place tells it from others of the same name.
  const place = `${DBOS.stepID ?? ''} ${step.name}`
  const tries = await worker.tables.begin({ workflow: step.workflow, step: place, lane: step.lane })
  if (tries !== undefined) return tries
  // Throws when it is the whole worker that was declared gone.
  await worker.fence()
  // Whatever is thrown now, the SDK finds out why by itself when it is to record it, and records nothing.
  throw new Error(`step ${step.name} may not begin: its workflow was cancelled or has another owner`)
}

async function carryOut<T>(worker: Worker, step: Step<T>, cancelled: AbortSignal): Promise<StepRecord<T>> {
  await worker.faults.reach(`${step.name}:before`)
  const record = await settle(worker, step, cancelled)
  await worker.faults.reach(`${step.name}:after`)
  return record
}

async function settle<T>(worker: Worker, step: Step<T>, cancelled: AbortSignal): Promise<StepRecord<T>> {
  const signal = AbortSignal.any([cancelled, worker.closing])
  try {
    const body = (until: AbortSignal): Promise<T> => worker.inFlight(() => step.body(until))
    return { done: await attempt({ body, options: step.options, signal, sleep: pause }) }
  } catch (error) {
    // Stopped in its midst by our own end, the step has not failed: it is begun again after the next start.
    if (worker.closing.aborted) return never()
    if (cancelled.aborted) throw error
    const failure = describeFailure(error)
    if (failure.problems === undefined) worker.log({ level: 'error', message: `step ${step.name}: ${stackOf(error)}` })
    return { failed: failure }
  }
}

function cancelSignal(): AbortSignal {
  return DBOS.stepStatus?.cancelSignal ?? new AbortController().signal
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

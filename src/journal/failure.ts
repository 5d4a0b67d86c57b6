import { Refusal } from '../problem/problem.ts'
import type { WorkflowError } from './engine.ts'

/** What the journal keeps of an error: enough to report it, and to throw it again alike in every replay. */
export function describeFailure(error: unknown): WorkflowError {
  if (error instanceof Refusal) return { message: error.message, problems: error.problems, outcome: error.outcome }
  if (error instanceof PoisonError) return { message: error.message, poison: true }
  return { message: error instanceof Error ? error.message : String(error) }
}

/** The error that a step of this failure throws, in its first run as in a replay. */
export function failureAsError(failure: WorkflowError): Error {
  if (failure.problems !== undefined) return new Refusal(failure.problems, failure.outcome)
  if (failure.poison === true) return new PoisonError(failure.message)
  return new Error(failure.message)
}

/** A step whose worker died in it each time it was begun. */
export class PoisonError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PoisonError'
  }
}

export function poisoned(step: string, tries: number): PoisonError {
  return new PoisonError(`step ${step} is not begun again: its worker died in it ${tries} times`)
}

import type { Run } from './engine.ts'

/** The recoveries of a step that are allowed by default, so that it is begun three times at most. */
export const DEFAULT_RECOVERIES = 2

export interface Definition {
  readonly name: string
  readonly maxRecoveryAttempts: number
  /** The input is what the same definition's `start` was given. */
  body(run: Run, input: unknown): Promise<unknown>
}

/** What a workflow is told beside its input; recorded with it. */
export interface Origin {
  /** The node's key, the workflow's name for one that is nobody's child; the first word of its steps' names. */
  readonly key: string
  readonly lane?: string
  /** It holds no place in the lane itself: its root does. */
  readonly child?: true
}

import type { Phase } from '../../release/records.ts'

/** The steps of the story as a person sees them go by. */
export const STORY: readonly Phase[] = [
  'source',
  'build',
  'plan',
  'gate',
  'stage',
  'migrate',
  'start',
  'switch',
  'verify',
  'keep',
]

/** Where in the story a phase is; -1 before it begins. */
export function placeInStory(phase: Phase): number {
  return STORY.indexOf(phase)
}

/** What a service does is going on, and how long it does so is of interest. */
const BUSY: ReadonlySet<string> = new Set(['building', 'migrating', 'starting', 'held'])

export function isBusy(state: string | undefined): boolean {
  return state !== undefined && BUSY.has(state)
}

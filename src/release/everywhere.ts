import { Refusal } from '../problem/problem.ts'
import { unforeseen } from './record-store.ts'
import type { Site } from './scope.ts'

/**
 * Does something on several hosts side by side and waits for all of them, so that nothing is under way any more when it
 * fails; then with every host's problems at once.
 */
export async function everywhere<T>(
  sites: readonly Site[],
  body: (site: Site, index: number) => Promise<T>,
): Promise<T[]> {
  const ends = await Promise.allSettled(sites.map((site, index) => body(site, index)))
  const failures = ends.filter((end) => end.status === 'rejected').map(({ reason }): unknown => reason)
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw together(failures)
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
}

/** The problems of a failure; an error that nobody foresaw is one too. */
export function problemsIn(error: unknown): Refusal['problems'] {
  return error instanceof Refusal ? error.problems : [unforeseen(error)]
}

function together(failures: readonly unknown[]): unknown {
  const aborted = failures.find((failure) => failure instanceof Error && failure.name === 'AbortError')
  return aborted ?? new Refusal(failures.flatMap(problemsIn))
}

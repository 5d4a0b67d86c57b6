import { Refusal } from '../problem/problem.ts'
import { unforeseen } from './record-store.ts'
import { emit } from './scope.ts'
import type { Scope } from './scope.ts'

/**
 * Does one service's part of a release. Where that fails, those who watch are told of which service and why, before
 * the release as a whole goes back; what is broken off because another service failed, or by a person, has not failed.
 */
export async function tellingFailure<T>(
  scope: Scope,
  who: { readonly service: string; readonly host?: string },
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (!scope.signal.aborted) await emit(scope, { kind: 'service', ...who, state: 'failed', detail: reasonOf(error) })
    throw error
  }
}

/** One line: what else is known, such as the service's last lines, stands in the release's problems. */
function reasonOf(error: unknown): string {
  const problem = (error instanceof Refusal ? error.problems[0] : undefined) ?? unforeseen(error)
  return problem.what.split('\n')[0] ?? ''
}

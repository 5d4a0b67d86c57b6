import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'

/** The part of a zod issue that is needed here. */
export interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** What a schema says of a request, in the grammar of a problem. Messages of the manifest's words carry their hint on a second line. */
export function complaintOf(target: string, { path, message }: Issue): Problem {
  const at = [target === 'json' ? 'body' : target, ...path.map(String)].join('.')
  const [what = '', hint] = message.split('\n')
  return problem('server/bad-request', at, what.charAt(0).toLowerCase() + what.slice(1), hint)
}

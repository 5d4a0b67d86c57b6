import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import type { Fence } from './operation.ts'

/** The refusal for who comes with a number that has been overtaken. @param seen the host's. */
export function fencedRefusal(at: string, { number, root }: Fence, seen: number): Refusal {
  return refusal(
    'hosts/fenced',
    at,
    `release ${number} may not change ${root}: release ${seen} has taken over`,
    'Nothing was changed. Does another Drover work on this environment?',
  )
}

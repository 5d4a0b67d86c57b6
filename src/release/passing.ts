import { Refusal } from '../problem/problem.ts'

/** `hosts/cut-off`: the connection was lost on the way. `hosts/fenced`: nothing was done, under a number of before. */
const PASSING: ReadonlySet<string> = new Set(['hosts/cut-off', 'hosts/fenced'])

/** Somebody else may change the hosts by now, and goes on with it. */
export function isOvertaken(error: unknown): boolean {
  const codes = error instanceof Refusal ? error.problems.map(({ code }) => code) : []
  return codes.includes('hosts/fenced') || codes.includes('release/permit-lost')
}

/** A failure that another try of the same may not meet: every step of a release may be repeated. */
export function isPassing(error: unknown): boolean {
  return error instanceof Refusal && error.problems.every(({ code }) => PASSING.has(code))
}

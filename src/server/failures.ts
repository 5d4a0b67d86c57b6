import { randomUUID } from 'node:crypto'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Refusal, problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { scrubUrlCredentials } from '../secrets/secret.ts'
import type { Failure } from './schemas.ts'

/** A refusal that the same request may meet no more a moment later, or that another release stands behind. */
const CONFLICTS: ReadonlySet<string> = new Set([
  'release/ended',
  'release/plan-changed',
  'release/active',
  'release/permit-lost',
  'hosts/plan-changed',
])

export interface Answer {
  readonly status: ContentfulStatusCode
  readonly body: Failure
}

/** What the asker is told of an error. One that nobody foresaw is written to the log under a number, and only that is told. */
export function answerTo(error: unknown, log: (line: string) => void): Answer {
  if (error instanceof Refusal)
    return { status: statusOf(error), body: { problems: error.problems, outcome: error.outcome } }
  if (error instanceof HTTPException) return badRequest(error)
  const incident = randomUUID()
  log(scrubUrlCredentials(`incident ${incident}: ${error instanceof Error ? error.stack : String(error)}`))
  const hint = `The log of the control plane has the details under ${incident}.`
  return {
    status: 500,
    body: {
      problems: [problem('server/internal', 'drover', 'something unforeseen went wrong', hint)],
      outcome: 'internal',
      incident,
    },
  }
}

export function usage(status: ContentfulStatusCode, ...problems: readonly Problem[]): Answer {
  return { status, body: { problems, outcome: 'usage' } }
}

function statusOf(error: Refusal): ContentfulStatusCode {
  const codes = error.problems.map((each) => each.code)
  if (codes.some((code) => CONFLICTS.has(code))) return 409
  if (codes.some(isUnknown)) return 404
  if (error.outcome === 'usage') return 400
  return error.outcome === 'refused' ? 422 : 500
}

/** `release/unknown`, `release/unknown-service`: what was named does not exist. */
function isUnknown(code: string): boolean {
  return /\/unknown(-|$)/.test(code)
}

/** Thrown by Hono itself, for a body that it cannot read. */
function badRequest(error: HTTPException): Answer {
  const status = error.status === 415 ? 415 : 400
  const what = status === 415 ? 'must be application/json' : 'is not valid JSON'
  return usage(status, problem('server/bad-body', 'body', what))
}

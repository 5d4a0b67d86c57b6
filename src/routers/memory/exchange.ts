import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorCode } from '../../hosts/error-code.ts'
import { askOn } from '../forward.ts'
import type { Target } from '../forward.ts'

/** A request that has been read whole, and the answer to be given. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
}

/** What a slot or a peer said, or the code of the error that stood in its place. */
export type Answer = IncomingMessage | string

export function askFor(
  { request, body }: Exchange,
  target: Target,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return askOn(request, target, { body, headers }).catch((error: unknown) => errorCode(error) ?? 'unknown')
}

/** The rule of nginx: what failed before it was sent, and what is safe to repeat. */
export function mayRepeat(request: IncomingMessage, answer: Answer): boolean {
  if (answer === 'ECONNREFUSED') return true
  const failed = typeof answer === 'string' || [500, 502, 503, 504].includes(answer.statusCode ?? 0)
  return failed && !['POST', 'PATCH', 'LOCK'].includes(request.method ?? '')
}

import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { problem } from '../problem/problem.ts'
import type { Secret } from '../secrets/secret.ts'
import { usage } from './failures.ts'

/** What a machine that watches the control plane, or a person that reads about it, needs no token for. */
const OPEN: ReadonlySet<string> = new Set(['/v1/health', '/openapi.json'])

/** Lets a request pass that carries the token. A path that does not exist is no exception: it says nothing of what exists. */
export function authentication(token: Secret): MiddlewareHandler {
  const expected = digest(token.open())
  return async (c, next) => {
    if (OPEN.has(c.req.path) && c.req.method === 'GET') return next()
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1]
    // Digests, because the comparison wants equal lengths and must not tell how much of the token was right.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next()
    const what = given === undefined ? 'the request carries no token' : 'the token is wrong'
    const hint =
      'The file `token` in the folder DROVER_HOME of the control plane has it; send it as `Authorization: Bearer …`.'
    const { status, body } = usage(401, problem('server/unauthorized', 'authorization', what, hint))
    return c.json(body, status, { 'WWW-Authenticate': 'Bearer' })
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { problem } from '../problem/problem.ts'
import { usage } from './failures.ts'

/** Far above any request that a person or a pipeline makes. */
const LARGEST_BYTES = 64 * 1024
const DEEPEST = 16

export function limitedBody(): MiddlewareHandler {
  return bodyLimit({
    maxSize: LARGEST_BYTES,
    onError: (c) => {
      const { status, body } = usage(
        413,
        problem('server/body-too-large', 'body', `is larger than ${LARGEST_BYTES / 1024} KiB`),
      )
      return c.json(body, status)
    },
  })
}

/** Refuses nesting that nothing here uses, before anything walks through it. */
export function shallowBody(): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method !== 'POST') return next()
    if (depthOf(await c.req.text()) <= DEEPEST) return next()
    const { status, body } = usage(
      400,
      problem('server/body-too-deep', 'body', `is nested deeper than ${DEEPEST} levels`),
    )
    return c.json(body, status)
  }
}

/** Deepest nesting of a JSON text, without building it. Of a text that is no JSON: any number. */
export function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [mark] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/gs)) {
    if (mark === '[' || mark === '{') deepest = Math.max(deepest, ++depth)
    else if (mark === ']' || mark === '}') depth--
  }
  return deepest
}

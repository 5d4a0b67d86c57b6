import type { z } from '@hono/zod-openapi'
import { failureSchema } from './schemas.ts'

/** What the OpenAPI document says of the answers of a route. */

const SHARED = {
  401: failure('The token is missing or wrong.'),
  500: failure('A fault of Drover, with the number of the incident, or a change that failed.'),
}

/** Of a route that takes no input. */
export const PLAIN_FAILURES = SHARED

/** Of a route that reads something by name. */
export const READ_FAILURES = {
  ...SHARED,
  400: failure('The request is wrong.'),
  404: failure('There is no such thing.'),
  422: failure('Understood and declined.'),
}

/** Of a route that takes a body and changes something. */
export const ACT_FAILURES = {
  ...READ_FAILURES,
  409: failure('Something else stands in the way, such as a release that has ended.'),
  413: failure('The body is too large.'),
  415: failure('The body is not JSON.'),
}

function failure(description: string) {
  return json(failureSchema, description)
}

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

export function stream<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'text/event-stream': { schema } } }
}

export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } }
}

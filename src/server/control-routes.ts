import { createRoute, z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Serving } from './app.ts'
import { PLAIN_FAILURES, json } from './responses.ts'
import { healthSchema } from './schemas.ts'

const health = createRoute({
  method: 'get',
  path: '/v1/health',
  summary: 'Whether the control plane can work',
  security: [],
  responses: { 200: json(healthSchema, 'It can.'), 503: json(healthSchema, 'It cannot; `detail` says why.') },
})

const shutdown = createRoute({
  method: 'post',
  path: '/v1/shutdown',
  summary: 'Stop this control plane orderly',
  description: 'A release under way is not lost: it goes on when a control plane is started again.',
  responses: { 202: json(z.object({ stopping: z.literal(true) }), 'It stops.'), ...PLAIN_FAILURES },
})

export function addControlRoutes(app: OpenAPIHono, serving: Serving): void {
  app.openapi(health, async (c) => {
    const { ok, detail } = await serving.health()
    const said = { version: serving.version, ...(detail === undefined ? {} : { detail }) }
    return ok ? c.json({ status: 'ok' as const, ...said }, 200) : c.json({ status: 'unwell' as const, ...said }, 503)
  })
  app.openapi(shutdown, (c) => {
    // After this answer is on its way.
    setImmediate(serving.shutdown)
    return c.json({ stopping: true as const }, 202)
  })
}

import { createRoute, z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { LogLine, LogNotice } from '../release/control-plane.ts'
import { statusDocument } from '../release/documents.ts'
import type { Serving } from './app.ts'
import { eventStream } from './event-stream.ts'
import type { Message } from './event-stream.ts'
import { actorBody, driftQuery, environmentParams, logsQuery } from './requests.ts'
import { ACT_FAILURES, PLAIN_FAILURES, READ_FAILURES, body, json, stream } from './responses.ts'
import { driftSchema, environmentSchema, logLineSchema, logNoticeSchema, statusSchema } from './schemas.ts'

const ENVIRONMENT = '/v1/fleets/{fleet}/environments/{environment}'

const environments = createRoute({
  method: 'get',
  path: '/v1/environments',
  summary: 'Every environment that was ever released to',
  responses: {
    200: json(z.object({ environments: z.array(environmentSchema).readonly() }), 'The environments.'),
    ...PLAIN_FAILURES,
  },
})

const status = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/status`,
  summary: 'What runs where, by what the hosts say now',
  request: { params: environmentParams },
  responses: { 200: json(statusSchema, 'The status.'), ...READ_FAILURES },
})

const drift = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/drift`,
  summary: 'How its hosts differ from what was declared',
  description: 'Refused while a release is under way, whose work would look like drift. Changes nothing.',
  request: { params: environmentParams, query: driftQuery },
  responses: { 200: json(driftSchema, 'The drift.'), ...READ_FAILURES },
})

const logs = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/logs`,
  summary: 'Lines of the running services',
  description: 'Server-sent events named `line` and `notice`. An event `failure` carries a Failure.',
  request: { params: environmentParams, query: logsQuery },
  responses: {
    200: stream(
      z.union([logLineSchema, logNoticeSchema]),
      'A LogLine in each event `line`, a LogNotice in each `notice`.',
    ),
    ...READ_FAILURES,
  },
})

const teardown = createRoute({
  method: 'post',
  path: `${ENVIRONMENT}/teardown`,
  summary: 'Stop every slot and the router; artifacts and records stay',
  request: { params: environmentParams, body: body(actorBody) },
  responses: { 200: json(environmentSchema, 'It is stopped.'), ...ACT_FAILURES },
})

export function addEnvironmentRoutes(app: OpenAPIHono, serving: Serving): void {
  const { controlPlane } = serving
  app.openapi(environments, async (c) => {
    const known = await controlPlane.environments()
    return c.json({ environments: known.map(({ fleet, environment }) => ({ fleet, environment })) }, 200)
  })
  app.openapi(status, async (c) => c.json(statusDocument(await controlPlane.status(c.req.valid('param'))), 200))
  app.openapi(drift, async (c) => c.json(await controlPlane.drift(c.req.valid('param'), c.req.valid('query')), 200))
  app.openapi(logs, async (c) => {
    const { service, lines, follow } = c.req.valid('query')
    const controller = new AbortController()
    const options = {
      lines,
      follow,
      signal: controller.signal,
      ...(service === undefined ? {} : { services: service }),
    }
    const source = controlPlane.logs(c.req.valid('param'), options)
    return eventStream(messagesOf(source), { ...serving, controller })
  })
  app.openapi(teardown, async (c) => {
    await controlPlane.teardown(c.req.valid('param'), c.req.valid('json').actor)
    return c.json(c.req.valid('param'), 200)
  })
}

async function* messagesOf(source: AsyncIterable<LogLine | LogNotice>): AsyncGenerator<Message> {
  for await (const said of source) yield { event: 'notice' in said ? 'notice' : 'line', data: said }
}

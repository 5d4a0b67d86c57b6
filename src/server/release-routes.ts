import { createRoute, z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { planDocument, releaseDocument, releaseLine } from '../release/documents.ts'
import type { Order, Request } from '../release/records.ts'
import type { Serving } from './app.ts'
import { eventStream } from './event-stream.ts'
import type { Message } from './event-stream.ts'
import {
  actorBody,
  environmentParams,
  listQuery,
  releaseParams,
  requestBody,
  resumeHeaders,
  stepsQuery,
} from './requests.ts'
import { ACT_FAILURES, READ_FAILURES, body, json, stream } from './responses.ts'
import { eventSchema, planSchema, releaseSchema } from './schemas.ts'

const ENVIRONMENT = '/v1/fleets/{fleet}/environments/{environment}'

const plan = createRoute({
  method: 'post',
  path: `${ENVIRONMENT}/plan`,
  summary: 'What a release would do, without doing it',
  request: { params: environmentParams, query: stepsQuery, body: body(requestBody) },
  responses: { 200: json(planSchema, 'The plan.'), ...ACT_FAILURES },
})

const request = createRoute({
  method: 'post',
  path: `${ENVIRONMENT}/releases`,
  summary: 'Ask for a release',
  request: { params: environmentParams, body: body(requestBody) },
  responses: { 202: json(releaseSchema, 'Recorded and queued; its events tell how it goes.'), ...ACT_FAILURES },
})

const list = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/releases`,
  summary: 'Releases, newest first, without plans and sets',
  request: { params: environmentParams, query: listQuery },
  responses: {
    200: json(z.object({ releases: z.array(releaseSchema).readonly() }), 'The releases.'),
    ...READ_FAILURES,
  },
})

const one = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/releases/{number}`,
  summary: 'One release with its plan and set',
  request: { params: releaseParams, query: stepsQuery },
  responses: { 200: json(releaseSchema, 'The release.'), ...READ_FAILURES },
})

const events = createRoute({
  method: 'get',
  path: `${ENVIRONMENT}/releases/{number}/events`,
  summary: 'What happened in a release and what happens, until it has ended',
  description:
    'Server-sent events named after `body.kind`. With Last-Event-ID only what came after it. An event `failure` carries a Failure.',
  request: { params: releaseParams, headers: resumeHeaders },
  responses: { 200: stream(eventSchema, 'A ReleaseEvent in each event.'), ...READ_FAILURES },
})

const cancel = createRoute({
  method: 'post',
  path: `${ENVIRONMENT}/releases/{number}/cancel`,
  summary: 'Ask a release to stop and go back',
  request: { params: releaseParams, body: body(actorBody) },
  responses: { 202: json(releaseSchema, 'Asked; `phase` says where the release was.'), ...ACT_FAILURES },
})

export function addReleaseRoutes(app: OpenAPIHono, serving: Serving): void {
  const { controlPlane } = serving
  app.openapi(plan, async (c) => {
    const made = await controlPlane.plan(c.req.valid('param'), requestFrom(c.req.valid('json')))
    return c.json(planDocument(made, c.req.valid('query')), 200)
  })
  app.openapi(request, async (c) => {
    const release = await controlPlane.request(c.req.valid('param'), requestFrom(c.req.valid('json')))
    return c.json(releaseLine(release), 202)
  })
  app.openapi(list, async (c) => {
    const { limit, before } = c.req.valid('query')
    const releases = await controlPlane.releases(c.req.valid('param'), {
      limit,
      ...(before === undefined ? {} : { before }),
    })
    return c.json({ releases: releases.map(releaseLine) }, 200)
  })
  app.openapi(one, async (c) =>
    c.json(releaseDocument(await controlPlane.release(c.req.valid('param')), c.req.valid('query')), 200),
  )
  app.openapi(events, async (c) => {
    const release = c.req.valid('param')
    // Asked first, so that a release that does not exist is a 404 and not a stream without events.
    await controlPlane.release(release)
    const controller = new AbortController()
    const afterId = c.req.valid('header')['last-event-id']
    const source = controlPlane.events(release, {
      signal: controller.signal,
      ...(afterId === undefined ? {} : { afterId }),
    })
    return eventStream(messagesOf(source), { ...serving, controller })
  })
  app.openapi(cancel, async (c) => {
    const release = await controlPlane.cancel(c.req.valid('param'), c.req.valid('json').actor)
    return c.json(releaseLine(release), 202)
  })
}

async function* messagesOf(source: ReturnType<Serving['controlPlane']['events']>): AsyncGenerator<Message> {
  for await (const event of source) yield { id: event.id, event: event.body.kind, data: event }
}

function requestFrom({ order, actor, reason, expectedPlan }: z.infer<typeof requestBody>): Request {
  return {
    order: orderFrom(order),
    actor,
    ...(reason === undefined ? {} : { reason }),
    ...(expectedPlan === undefined ? {} : { expectedPlan }),
  }
}

function orderFrom(order: z.infer<typeof requestBody>['order']): Order {
  if (order.goal === 'heal') return order
  const without = order.without === undefined ? {} : { without: order.without }
  if (order.goal === 'deploy') {
    const { goal, repository, ref } = order
    return { goal, repository, ...(ref === undefined ? {} : { ref }), ...without }
  }
  const { goal, to, service } = order
  return { goal, ...(to === undefined ? {} : { to }), ...(service === undefined ? {} : { service }), ...without }
}

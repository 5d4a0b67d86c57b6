import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from '@hono/zod-openapi'
import type { EnvironmentStatus, LogLine, LogNotice } from '../release/control-plane.ts'
import type { EnvironmentDrift } from '../release/environment-drift.ts'
import type { PlanDocument, ReleaseDocument, StatusDocument } from '../release/documents.ts'
import type { EventBody, Order, ReleaseEvent, Request } from '../release/records.ts'
import type { BootstrapEvent, BootstrapPlan, HostReport } from '../release/host-operations.ts'
import { bootstrapEventSchema, bootstrapPlanSchema, hostReportSchema } from './host-schemas.ts'
import { requestBody } from './requests.ts'
import {
  driftSchema,
  eventSchema,
  logLineSchema,
  logNoticeSchema,
  planSchema,
  releaseSchema,
  statusSchema,
} from './schemas.ts'
import { testingClient } from './testing-client.ts'

const operation = z.object({
  summary: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean().optional() })).optional(),
  requestBody: z.object({ required: z.literal(true), content: z.record(z.string(), z.unknown()) }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: z.record(z.string(), z.unknown()) })),
})

const documentSchema = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  security: z.array(z.object({ token: z.array(z.string()) })),
  components: z.object({
    schemas: z.record(z.string(), z.unknown()),
    securitySchemes: z.object({ token: z.object({ type: z.literal('http'), scheme: z.literal('bearer') }) }),
  }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
})

async function documentText(): Promise<string> {
  return (await testingClient().raw('/openapi.json')).text()
}

suite('the OpenAPI document', () => {
  test('has every route, each with its answers, errors, parameters and need of a token', async () => {
    const document = documentSchema.parse(JSON.parse(await documentText()))

    const told = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    assert.deepEqual(told.sort(), [
      'get /v1/environments',
      'get /v1/fleets/{fleet}/environments/{environment}/drift',
      'get /v1/fleets/{fleet}/environments/{environment}/logs',
      'get /v1/fleets/{fleet}/environments/{environment}/releases',
      'get /v1/fleets/{fleet}/environments/{environment}/releases/{number}',
      'get /v1/fleets/{fleet}/environments/{environment}/releases/{number}/events',
      'get /v1/fleets/{fleet}/environments/{environment}/status',
      'get /v1/health',
      'post /v1/fleets/{fleet}/environments/{environment}/plan',
      'post /v1/fleets/{fleet}/environments/{environment}/releases',
      'post /v1/fleets/{fleet}/environments/{environment}/releases/{number}/cancel',
      'post /v1/fleets/{fleet}/environments/{environment}/teardown',
      'post /v1/hosts/bootstrap',
      'post /v1/hosts/look',
      'post /v1/hosts/plan',
      'post /v1/shutdown',
    ])
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { parameters = [], responses, security, requestBody }] of Object.entries(methods)) {
        const inPath = parameters
          .filter((parameter) => parameter.in === 'path')
          .map((parameter) => `{${parameter.name}}`)
        assert.deepEqual(inPath, path.match(/\{\w+\}/g) ?? [], `${method} ${path}`)
        assert.ok(['200', '202'].some((status) => status in responses))
        if (path === '/v1/health') assert.deepEqual(security, [])
        else assert.ok('401' in responses && '500' in responses && security === undefined, `${method} ${path}`)
        if (requestBody !== undefined) assert.ok(['400', '413', '415'].every((status) => status in responses))
      }
    }
  })

  test('refers only to what it has', async () => {
    const text = await documentText()
    const { components } = documentSchema.parse(JSON.parse(text))

    const referred = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]))

    const known = Object.keys(components.schemas).map((name) => `#/components/schemas/${name}`)
    assert.deepEqual(
      [...referred].filter((reference) => !known.includes(reference ?? '')),
      [],
    )
    assert.ok(referred.has('#/components/schemas/Failure'))
  })
})

/** Both ways, with the optional fields as they are (is each optional in both?) and as if required (is each in both?). */
type Same<A, B> = Fits<Loose<A>, Loose<B>> & Fits<Loose<B>, Loose<A>> & Fits<Full<A>, Full<B>> & Fits<Full<B>, Full<A>>
type Fits<A, B> = [A] extends [B] ? true : false
/** JSON has no undefined, so that an absent field and an undefined one are one thing here. */
type Loose<T> = T extends readonly (infer E)[]
  ? readonly Loose<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Loose<T[K]> | Extract<undefined, T[K]> }
    : T
type Full<T> = T extends readonly (infer E)[]
  ? readonly Full<E>[]
  : T extends object
    ? { readonly [K in keyof T]-?: Full<Exclude<T[K], undefined>> }
    : T

test('the schemas say what the types say', () => {
  const same: [
    Same<z.infer<typeof planSchema>, PlanDocument>,
    Same<z.infer<typeof releaseSchema>, ReleaseDocument>,
    Same<z.infer<typeof statusSchema>, StatusDocument>,
    Same<z.infer<typeof eventSchema>, ReleaseEvent>,
    Same<z.infer<typeof eventSchema>['body'], EventBody>,
    Same<z.infer<typeof logLineSchema>, LogLine>,
    Same<z.infer<typeof logNoticeSchema>, LogNotice>,
    Same<z.infer<typeof hostReportSchema>, HostReport>,
    Same<z.infer<typeof bootstrapPlanSchema>, BootstrapPlan>,
    Same<z.infer<typeof bootstrapEventSchema>, BootstrapEvent>,
    Same<z.infer<typeof requestBody>, Request>,
    Same<z.infer<typeof requestBody>['order'], Order>,
    Same<z.infer<typeof statusSchema>['services'], EnvironmentStatus['services']>,
    Same<z.infer<typeof driftSchema>, EnvironmentDrift>,
  ] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true]

  assert.ok(same.every(Boolean))
})

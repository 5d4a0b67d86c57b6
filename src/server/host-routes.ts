import { createRoute } from '@hono/zod-openapi'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import type { BootstrapEvent, BootstrapOrder } from '../release/host-operations.ts'
import type { Serving } from './app.ts'
import { eventStream } from './event-stream.ts'
import type { Message } from './event-stream.ts'
import { bootstrapBody, bootstrapEventSchema, bootstrapPlanSchema, hostReportSchema, lookBody } from './host-schemas.ts'
import { ACT_FAILURES, body, json, stream } from './responses.ts'

const look = createRoute({
  method: 'post',
  path: '/v1/hosts/look',
  summary: 'What a host is, and what it lacks',
  description: 'A host that cannot be reached is an answer too. Changes nothing.',
  request: { body: body(lookBody) },
  responses: { 200: json(hostReportSchema, 'The report.'), ...ACT_FAILURES },
})

const plan = createRoute({
  method: 'post',
  path: '/v1/hosts/plan',
  summary: 'What bootstrap would do to a host, without doing it',
  request: { body: body(bootstrapBody) },
  responses: { 200: json(bootstrapPlanSchema, 'The plan.'), ...ACT_FAILURES },
})

const bootstrap = createRoute({
  method: 'post',
  path: '/v1/hosts/bootstrap',
  summary: 'Make a host ready',
  description:
    'Server-sent events named after `kind`, while it is done; it ends when the asker goes away, and may be repeated any time. An event `failure` carries a Failure.',
  request: { body: body(bootstrapBody) },
  responses: { 200: stream(bootstrapEventSchema, 'A BootstrapEvent in each event.'), ...ACT_FAILURES },
})

export function addHostRoutes(app: OpenAPIHono, serving: Serving): void {
  const { hostOperations } = serving
  app.openapi(look, async (c) => {
    const { host, as, asRoot } = c.req.valid('json')
    const options = { ...(as === undefined ? {} : { as }), ...(asRoot === undefined ? {} : { asRoot }) }
    return c.json(await hostOperations.look(hostFrom(host), options), 200)
  })
  app.openapi(plan, async (c) => c.json(await hostOperations.plan(orderFrom(c.req.valid('json'))), 200))
  app.openapi(bootstrap, (c) => {
    const controller = new AbortController()
    const source = hostOperations.bootstrap(orderFrom(c.req.valid('json')), controller.signal)
    return eventStream(messagesOf(source), { ...serving, controller })
  })
}

async function* messagesOf(source: AsyncIterable<BootstrapEvent>): AsyncGenerator<Message> {
  for await (const event of source) yield { event: event.kind, data: event }
}

function orderFrom({ host, as, keys, plan }: z.infer<typeof bootstrapBody>): BootstrapOrder {
  return {
    host: hostFrom(host),
    keys,
    ...(as === undefined ? {} : { as }),
    ...(plan === undefined ? {} : { plan }),
  }
}

/** JSON knows no undefined, but a schema's optional field does. */
function hostFrom({ ssh, address, environments, ...host }: z.infer<typeof lookBody>['host']): DeclaredHost {
  return {
    ...host,
    ...(ssh === undefined
      ? {}
      : { ssh: { destination: ssh.destination, ...(ssh.port === undefined ? {} : { port: ssh.port }) } }),
    ...(address === undefined ? {} : { address }),
    environments: environments.map(({ root, ...environment }) => ({
      ...environment,
      ...(root === undefined ? {} : { root }),
    })),
  }
}

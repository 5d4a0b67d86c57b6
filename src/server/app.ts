import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem } from '../problem/problem.ts'
import type { ControlPlane } from '../release/control-plane.ts'
import type { HostOperations } from '../release/host-operations.ts'
import type { Secret } from '../secrets/secret.ts'
import { authentication } from './authentication.ts'
import { complaintOf } from './complaints.ts'
import type { Issue } from './complaints.ts'
import { addControlRoutes } from './control-routes.ts'
import { addEnvironmentRoutes } from './environment-routes.ts'
import { answerTo, usage } from './failures.ts'
import type { Answer } from './failures.ts'
import { addHostRoutes } from './host-routes.ts'
import { addReleaseRoutes } from './release-routes.ts'
import { limitedBody, shallowBody } from './request-body.ts'

export interface AppOptions {
  readonly controlPlane: ControlPlane
  readonly hostOperations: HostOperations
  readonly token: Secret
  readonly version: string
  readonly health: () => Promise<Health>
  /** Stops the control plane orderly; called after the answer has been made. */
  readonly shutdown: () => void
  /** Where errors that nobody foresaw are written. */
  readonly log: (line: string) => void
  /** Aborts when the server closes, which ends the streams that are open. */
  readonly closing?: AbortSignal
  readonly heartbeatMs?: number
}

export interface Health {
  readonly ok: boolean
  readonly detail?: string
}

/** What the routes need of the app's options. */
export interface Serving extends AppOptions {
  readonly closing: AbortSignal
  readonly heartbeatMs: number
  readonly answerTo: (error: unknown) => Answer
}

const HEARTBEAT_MS = 15_000
const SECURITY = 'token'

/** The HTTP API over a control plane. It only translates: what is done and what is refused is decided below. */
export function createApp(options: AppOptions): OpenAPIHono {
  const never = new AbortController().signal
  const serving: Serving = {
    closing: never,
    heartbeatMs: HEARTBEAT_MS,
    ...options,
    answerTo: (error) => answerTo(error, options.log),
  }
  const app = new OpenAPIHono({ defaultHook: complain })
  app.use(authentication(options.token), limitedBody(), shallowBody())
  addControlRoutes(app, serving)
  addReleaseRoutes(app, serving)
  addEnvironmentRoutes(app, serving)
  addHostRoutes(app, serving)
  addDocument(app, options.version)
  app.notFound((c) => {
    const hint = 'GET /openapi.json describes every route.'
    return answer(
      c,
      usage(404, problem('server/no-such-route', `${c.req.method} ${c.req.path}`, 'there is no such route', hint)),
    )
  })
  app.onError((error, c) => answer(c, serving.answerTo(error)))
  return app
}

function answer(c: Context, { status, body }: Answer): Response {
  return c.json(body, status)
}

interface Checked {
  readonly success: boolean
  readonly target: string
  readonly error?: { readonly issues: readonly Issue[] }
}

/** Turns what the schema found into problems, all of them. */
function complain(result: Checked, c: Context): Response | undefined {
  if (result.success) return undefined
  const issues = result.error?.issues ?? []
  const problems = issues.map((issue) => complaintOf(result.target, issue))
  return answer(c, usage(400, ...problems))
}

function addDocument(app: OpenAPIHono, version: string): void {
  app.openAPIRegistry.registerComponent('securitySchemes', SECURITY, { type: 'http', scheme: 'bearer' })
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Drover',
      version,
      description:
        'Releases of fleets of services. Every error is a Failure: all problems at once, each with what to do next.',
    },
    security: [{ [SECURITY]: [] }],
  })
}

import type { LogLine, LogNotice } from '../../release/control-plane.ts'
import type { PlanDocument, ReleaseDocument, StatusDocument } from '../../release/documents.ts'
import type {
  BootstrapEvent,
  BootstrapOrder,
  BootstrapPlan,
  HostReport,
  LookOptions,
} from '../../release/host-operations.ts'
import type { EnvironmentDrift } from '../../release/environment-drift.ts'
import type { EnvironmentRef, ReleaseEvent, ReleaseRef, Request } from '../../release/records.ts'
import type { DeclaredHost } from '../../manifest/declared-hosts.ts'
import { ConnectionLost, ask, askFor, failureFrom } from './http.ts'
import type { Call, Endpoint } from './http.ts'
import { serverSentEvents } from './server-sent-events.ts'

export interface LogsWanted {
  readonly services: readonly string[]
  readonly lines: number
  readonly follow: boolean
  readonly signal?: AbortSignal
}

/** The HTTP API as calls. Throws the Refusal that the control plane meant, ConnectionLost when it does not answer. */
export interface Client {
  readonly url: string
  plan(environment: EnvironmentRef, request: Request, options?: { readonly steps: boolean }): Promise<PlanDocument>
  request(environment: EnvironmentRef, request: Request): Promise<ReleaseDocument>
  cancel(release: ReleaseRef, actor: string): Promise<ReleaseDocument>
  release(release: ReleaseRef, options?: { readonly steps: boolean }): Promise<ReleaseDocument>
  releases(environment: EnvironmentRef, options: { readonly limit: number }): Promise<readonly ReleaseDocument[]>
  /** Ends after the event `ended`, or when the connection ends: then with ConnectionLost. */
  events(
    release: ReleaseRef,
    options: { readonly afterId?: number; readonly signal?: AbortSignal },
  ): AsyncGenerator<ReleaseEvent>
  status(environment: EnvironmentRef): Promise<StatusDocument>
  drift(environment: EnvironmentRef, options: { readonly deep: boolean }): Promise<EnvironmentDrift>
  environments(): Promise<readonly EnvironmentRef[]>
  logs(environment: EnvironmentRef, wanted: LogsWanted): AsyncGenerator<LogLine | LogNotice>
  teardown(environment: EnvironmentRef, actor: string): Promise<void>
  look(host: DeclaredHost, options?: LookOptions): Promise<HostReport>
  planBootstrap(order: BootstrapOrder): Promise<BootstrapPlan>
  /** Ends after the event `ended`, or when the connection ends: then with ConnectionLost. */
  bootstrap(order: BootstrapOrder, signal?: AbortSignal): AsyncGenerator<BootstrapEvent>
  shutdown(): Promise<void>
}

export function clientOf(endpoint: Endpoint): Client {
  const get = <T>(path: string): Promise<T> => askFor<T>(endpoint, { method: 'GET', path })
  const post = <T>(path: string, body: unknown): Promise<T> => askFor<T>(endpoint, { method: 'POST', path, body })
  return {
    url: endpoint.url,
    plan: (environment, request, options) =>
      post(`${pathOf(environment)}/plan${options?.steps === true ? '?steps=true' : ''}`, request),
    request: (environment, request) => post(`${pathOf(environment)}/releases`, request),
    cancel: (release, actor) => post(`${releasePath(release)}/cancel`, { actor }),
    release: (release, options) => get(`${releasePath(release)}${options?.steps === true ? '?steps=true' : ''}`),
    releases: async (environment, { limit }) =>
      (await get<{ releases: ReleaseDocument[] }>(`${pathOf(environment)}/releases?limit=${limit}`)).releases,
    events: (release, options) => releaseEvents(endpoint, release, options),
    status: (environment) => get(`${pathOf(environment)}/status`),
    drift: (environment, { deep }) => get(`${pathOf(environment)}/drift?deep=${deep}`),
    environments: async () => (await get<{ environments: EnvironmentRef[] }>('/v1/environments')).environments,
    logs: (environment, wanted) => logLines(endpoint, environment, wanted),
    teardown: async (environment, actor) => {
      await post(`${pathOf(environment)}/teardown`, { actor })
    },
    look: (host, options) => post('/v1/hosts/look', { host, ...options }),
    planBootstrap: (order) => post('/v1/hosts/plan', order),
    bootstrap: (order, signal) => bootstrapEvents(endpoint, order, signal),
    shutdown: async () => {
      await ask(endpoint, { method: 'POST', path: '/v1/shutdown' })
    },
  }
}

function pathOf({ fleet, environment }: EnvironmentRef): string {
  return `/v1/fleets/${encodeURIComponent(fleet)}/environments/${encodeURIComponent(environment)}`
}

function releasePath(release: ReleaseRef): string {
  return `${pathOf(release)}/releases/${release.number}`
}

async function* releaseEvents(
  endpoint: Endpoint,
  release: ReleaseRef,
  options: { readonly afterId?: number; readonly signal?: AbortSignal },
): AsyncGenerator<ReleaseEvent> {
  const headers = options.afterId === undefined ? {} : { 'last-event-id': String(options.afterId) }
  const call = {
    path: `${releasePath(release)}/events`,
    headers,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }
  for await (const event of streamed<ReleaseEvent>(endpoint, { method: 'GET', ...call })) {
    yield event
    if (event.body.kind === 'ended') return
  }
  throw new ConnectionLost(endpoint.url, 'the stream ended before the release did')
}

async function* logLines(
  endpoint: Endpoint,
  environment: EnvironmentRef,
  wanted: LogsWanted,
): AsyncGenerator<LogLine | LogNotice> {
  const query = new URLSearchParams({ lines: String(wanted.lines), follow: String(wanted.follow) })
  for (const service of wanted.services) query.append('service', service)
  yield* streamed<LogLine | LogNotice>(endpoint, {
    method: 'GET',
    path: `${pathOf(environment)}/logs?${query.toString()}`,
    ...(wanted.signal === undefined ? {} : { signal: wanted.signal }),
  })
  if (wanted.follow) throw new ConnectionLost(endpoint.url, 'the stream ended')
}

async function* bootstrapEvents(
  endpoint: Endpoint,
  order: BootstrapOrder,
  signal: AbortSignal | undefined,
): AsyncGenerator<BootstrapEvent> {
  const call = { method: 'POST', path: '/v1/hosts/bootstrap', body: order } as const
  for await (const event of streamed<BootstrapEvent>(endpoint, {
    ...call,
    ...(signal === undefined ? {} : { signal }),
  })) {
    yield event
    if (event.kind === 'ended') return
  }
  throw new ConnectionLost(endpoint.url, 'the stream ended before the bootstrap did')
}

/** The documents of a stream of the API. */
async function* streamed<T>(endpoint: Endpoint, call: Call): AsyncGenerator<T> {
  for await (const { event, data } of serverSentEvents(await ask(endpoint, call))) {
    if (event === 'failure') throw failureFrom(data)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in askFor
    yield JSON.parse(data) as T
  }
}

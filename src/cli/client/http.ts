import { Refusal } from '../../problem/problem.ts'
import type { Outcome, Problem } from '../../problem/problem.ts'
import type { Secret } from '../../secrets/secret.ts'

/** Where a control plane answers, and the right to ask it. */
export interface Endpoint {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: Secret
}

/** The control plane did not answer, or stopped in the middle of an answer. Asking again later may succeed. */
export class ConnectionLost extends Error {
  constructor(url: string, cause: unknown) {
    super(`the control plane at ${url} does not answer`, { cause })
    this.name = 'ConnectionLost'
  }
}

/** A fault of the control plane, which it keeps in its log under a number. */
export class ServerFault extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map((problem) => problem.what).join('; '))
    this.name = 'ServerFault'
    this.problems = problems
  }
}

export interface Call {
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Asks; what is not a success comes back as the Refusal that the control plane meant, or as its fault. */
export async function ask(endpoint: Endpoint, call: Call): Promise<Response> {
  const { method, path, body, headers = {}, signal } = call
  const response = await reach(endpoint.url, () =>
    fetch(endpoint.url + path, {
      method,
      redirect: 'error',
      headers: {
        authorization: `Bearer ${endpoint.token.open()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    }),
  )
  if (response.ok) return response
  throw failureFrom(await reach(endpoint.url, () => response.text()), response.status)
}

/** An answer's document. What it looks like is the API's promise; both are of one version. */
export async function askFor<T>(endpoint: Endpoint, call: Call): Promise<T> {
  const response = await ask(endpoint, call)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await reach(endpoint.url, () => response.json())) as T
}

const HEALTH_MS = 2_000

/** Whether a control plane answers there, be it unwell; asked without the token. */
export async function isThere(url: string): Promise<boolean> {
  try {
    const { status } = await fetch(`${url}/v1/health`, { redirect: 'error', signal: AbortSignal.timeout(HEALTH_MS) })
    return status === 200 || status === 503
  } catch {
    return false
  }
}

/** The error that a document of the API tells: an answer's body, or the event `failure` of a stream. */
export function failureFrom(text: string, status?: number): Error {
  try {
    const failure: unknown = JSON.parse(text)
    if (isFailure(failure)) {
      return failure.outcome === 'internal'
        ? new ServerFault(failure.problems)
        : new Refusal(failure.problems, failure.outcome)
    }
  } catch {
    // Not JSON: not a control plane. Told below.
  }
  return new Error(
    `the answer${status === undefined ? '' : ` ${status}`} is not one of a Drover control plane: ${text.slice(0, 200)}`,
  )
}

function isFailure(value: unknown): value is { problems: Problem[]; outcome: Outcome | 'internal' } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'problems' in value &&
    Array.isArray(value.problems) &&
    'outcome' in value
  )
}

async function reach<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'AbortError') throw cause
    throw new ConnectionLost(url, cause)
  }
}

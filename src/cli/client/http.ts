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

/**
 * Asks; gives the answer's body. What is not a success comes back as the Refusal that the control plane meant, or as
 * its fault.
 */
export async function ask(endpoint: Endpoint, call: Call): Promise<AsyncIterable<Uint8Array>> {
  const { method, path, body, headers = {}, signal } = call
  const { status, bytes } = await exchange(endpoint.url, {
    path,
    method,
    headers: {
      authorization: `Bearer ${endpoint.token.open()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { text: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (status >= 200 && status < 300) return bytes
  throw failureFrom(await textOf(bytes), status)
}

/** An answer's document. What it looks like is the API's promise; both are of one version. */
export async function askFor<T>(endpoint: Endpoint, call: Call): Promise<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(await textOf(await ask(endpoint, call))) as T
}

const HEALTH_MS = 2_000

/** Whether a control plane answers there, be it unwell; asked without the token. */
export async function isThere(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(HEALTH_MS)
    const { status, bytes } = await exchange(url, { path: '/v1/health', method: 'GET', headers: {}, signal })
    await textOf(bytes)
    return status === 200 || status === 503
  } catch {
    return false
  }
}

interface Exchange {
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly text?: string
  readonly signal?: AbortSignal
}

/**
 * One request, not redirected. Not by `fetch`, whose first use loads for 70 ms; and for the same reason not by an import
 * of node:http, which reads all that it exports.
 */
function exchange(base: string, { path, text, ...options }: Exchange): Promise<{ status: number; bytes: Bytes }> {
  const url = new URL(base + path)
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  return new Promise((resolve, reject) => {
    const asking = request(url, options, (response) => {
      resolve({ status: response.statusCode ?? 0, bytes: bytesOf(base, response) })
    })
    asking.on('error', (cause) => reject(lost(base, cause)))
    asking.end(text)
  })
}

type Bytes = AsyncGenerator<Uint8Array>

async function* bytesOf(base: string, body: AsyncIterable<Uint8Array>): Bytes {
  try {
    yield* body
  } catch (cause) {
    throw lost(base, cause)
  }
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const some of bytes) all.push(some)
  return Buffer.concat(all).toString('utf8')
}

function lost(url: string, cause: unknown): unknown {
  return cause instanceof Error && cause.name === 'AbortError' ? cause : new ConnectionLost(url, cause)
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

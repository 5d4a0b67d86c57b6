import { after } from 'node:test'
import { Secret } from '../secrets/secret.ts'
import { createApp } from './app.ts'
import type { AppOptions } from './app.ts'
import { testingControlPlane } from './testing-control-plane.ts'
import type { TestingControlPlane, TestingOptions } from './testing-control-plane.ts'
import { testingHostOperations } from './testing-host-operations.ts'

export const TOKEN = 'a-token-for-tests-only'

export interface TestingClient {
  readonly controlPlane: TestingControlPlane
  /** What the app wrote to its log. */
  readonly log: string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body: unknown): Promise<Response>
  /** The request as it is, without a token of its own. */
  raw(path: string, init?: RequestInit): Promise<Response>
}

/** An app over a control plane in memory, asked without a network. Closed after the test. */
export function testingClient(options: TestingOptions & Partial<AppOptions> = {}): TestingClient {
  const controlPlane = testingControlPlane(options)
  after(() => controlPlane.close())
  const log: string[] = []
  const app = createApp({
    controlPlane,
    hostOperations: testingHostOperations(),
    token: new Secret(TOKEN),
    version: '0.1.0',
    health: async () => ({ ok: true }),
    shutdown: () => {},
    log: (line) => log.push(line),
    ...options,
  })
  const authorization = `Bearer ${TOKEN}`
  return {
    controlPlane,
    log,
    get: async (path, headers) => app.request(path, { headers: { authorization, ...headers } }),
    post: async (path, body) =>
      app.request(path, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    raw: async (path, init) => app.request(path, init),
  }
}

export const STAGING = '/v1/fleets/pakashop/environments/staging'

/** Asks for a deploy of a ref; see FATES for what it then meets. */
export function deployOf(ref: string): { order: { goal: 'deploy'; repository: string; ref: string }; actor: string } {
  return { order: { goal: 'deploy', repository: '/srv/pakashop', ref }, actor: 'anna' }
}

/** The events of a stream, once it has ended. */
export async function eventsOf(response: Response): Promise<{ id?: string; event?: string; data: unknown }[]> {
  const blocks = (await response.text()).split('\n\n').filter((block) => block !== '' && !block.startsWith(':'))
  return blocks.map((block) => {
    const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)))
    return { ...fields, data: JSON.parse(String(fields['data'])) as unknown }
  })
}

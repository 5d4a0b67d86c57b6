import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../../test/free-ports.ts'
import type { Host } from '../hosts/host.ts'
import type { Fence, Operation } from '../hosts/operation.ts'
import { localHost } from '../hosts/local/local-host.ts'
import type { SlotName } from '../manifest/fleet.ts'
import { Refusal } from '../problem/problem.ts'
import type { Secret } from '../secrets/secret.ts'
import type {
  Route,
  RouteChoice,
  Router,
  RouterReport,
  RouteSet,
  ServiceTraffic,
  SlotRoute,
  WaitingRoom,
} from './router.ts'

/** What a slot of a trial does with a request: answers with a status, or breaks the connection off. */
export type Behaviour = number | 'reset' | ((request: IncomingMessage, response: ServerResponse) => void)

export interface TrialSlot {
  readonly port: number
  behaviour: Behaviour
  /** What has reached it: a path for each request. */
  readonly heard: string[]
  /** How many of them it has not answered yet. */
  active: number
  /** Stops listening and breaks off what is open. */
  stop(): Promise<void>
}

/** What a slot says of the request that reached it. */
export interface Echo {
  readonly slot: string
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A small HTTP server that says which slot it is and what it was asked. */
export async function trialSlot(slot: string, port = 0, address = '127.0.0.1'): Promise<TrialSlot> {
  const server = createServer((request, response) => void answer(request, response))
  server.listen(port, address)
  await once(server, 'listening')
  const self: TrialSlot = {
    port: portOf(server.address()),
    behaviour: 200,
    heard: [],
    active: 0,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    self.active += 1
    response.once('close', () => (self.active -= 1))
    self.heard.push(request.url ?? '')
    const body = Buffer.concat(await request.toArray().catch(() => [])).toString()
    if (self.behaviour === 'reset') return void request.socket.resetAndDestroy()
    if (typeof self.behaviour === 'function') return self.behaviour(request, response)
    const echo: Echo = { slot, method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
    response.writeHead(self.behaviour, { 'content-type': 'application/json', 'set-cookie': ['one=1', 'two=2'] })
    response.end(JSON.stringify(echo))
  }

  return self
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The local port of the connection that carried it: equal ports, same connection. */
  readonly connection: number
}

export interface Asking {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly agent?: Agent
  /** Default 127.0.0.1. */
  readonly address?: string
}

/** One request to a port; on a connection of its own unless an agent is given. */
export async function ask(port: number, asking: Asking = {}): Promise<Reply> {
  const { method = 'GET', path = '/', headers = {}, body, agent, address = '127.0.0.1' } = asking
  const asked = httpRequest({ host: address, port, method, path, headers, agent: agent ?? false })
  asked.end(body)
  return replyTo(asked)
}

/** A POST whose body is sent in parts. */
export function startUpload(port: number): { send(part: string): Promise<void>; finish(part: string): Promise<Reply> } {
  const asked = httpRequest({ host: '127.0.0.1', port, method: 'POST', agent: false })
  return {
    send: (part) => new Promise((resolve) => void asked.write(part, () => resolve())),
    finish(part) {
      asked.end(part)
      return replyTo(asked)
    },
  }
}

async function replyTo(asked: ClientRequest): Promise<Reply> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the documented argument of this event
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const connection = response.socket.localPort ?? 0
  const chunks = await response.toArray()
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
    connection,
  }
}

/** Which slot answered, or the status when it was not a slot's success. */
export async function whoAnswers(port: number, asking: Asking = {}): Promise<string | number> {
  const reply = await ask(port, asking)
  return reply.status === 200 ? echoOf(reply).slot : reply.status
}

export function echoOf(reply: Reply): Echo {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by trialSlot above
  return JSON.parse(reply.body) as Echo
}

export interface TrialService {
  readonly route: SlotRoute
  readonly a: TrialSlot
  readonly b: TrialSlot
}

/** An environment of a host in a folder of its own, with services whose slots run already. */
export interface Trial {
  readonly router: Router
  readonly host: Host
  readonly root: string
  readonly fence: Fence
  shape(routes: readonly Route[]): Promise<{ changed: boolean }>
  lay(set: RouteSet, token?: Secret): Promise<void>
  switchTo(set: string): Promise<void>
  settle(set: RouteSet, besides: readonly Operation[]): Promise<void>
  prune(keep: readonly string[]): Promise<void>
  observe(): Promise<RouterReport>
  /** Of the window, once it has at least so many requests: nginx writes its line after the answer has gone out. */
  traffic(from: number, to: number, requests: number): Promise<Record<string, ServiceTraffic>>
  waitingRoom(): Promise<WaitingRoom>
  /** `label` is how its slots call themselves, if not by the service's name. */
  service(name: string, label?: string): Promise<TrialService>
  set(name: string, choices: Readonly<Record<string, RouteChoice>>): RouteSet
  /** Lays a set of these choices and switches to it. */
  live(name: string, choices: Readonly<Record<string, RouteChoice | SlotName>>): Promise<void>
  end(): Promise<void>
}

export interface TrialOptions {
  /** Shares its loopback with this machine, where the slots run. Default this machine. */
  readonly host?: Host
  /** Name of the environment's root, to try names that are hard to quote. */
  readonly folder?: string
}

export async function startTrial(
  router: Router,
  { host = localHost(), folder = 'root' }: TrialOptions = {},
): Promise<Trial> {
  const made = await host.run({ program: 'mktemp', argv: ['-d', '/tmp/drover-router-XXXXXXXX'] })
  assert.ok(made.ok, made.stderr)
  const base = made.stdout.trim()
  const root = join(base, folder)
  const fence = { root, number: 1 }
  const slots: TrialSlot[] = []
  const rooms: WaitingRoom[] = []
  const set = (name: string, choices: Readonly<Record<string, RouteChoice>>): RouteSet => ({
    name,
    release: 1,
    choices,
  })

  return {
    router,
    host,
    root,
    fence,
    shape: (routes) => router.shape(host, fence, routes),
    lay: (set, token) => router.lay(host, fence, set, token),
    switchTo: (name) => router.switch(host, fence, name),
    settle: (set, besides) => router.settle(host, fence, set, besides),
    prune: (keep) => router.prune(host, fence, keep),
    observe: () => router.observe(host, root),
    async traffic(from, to, requests) {
      for (let tries = 0; ; tries++) {
        const traffic = await router.traffic(host, root, from, to)
        const counted = Object.values(traffic).reduce((sum, service) => sum + service.requests, 0)
        if (counted >= requests || tries === 100) return traffic
        await pause(50)
      }
    },
    async waitingRoom() {
      const room = await router.waitingRoom(host, root)
      rooms.push(room)
      return room
    },
    set,
    async service(name, label = name) {
      const a = await trialSlot(`${label}.a`)
      const b = await trialSlot(`${label}.b`)
      slots.push(a, b)
      return { route: { service: name, port: await freePort(), slotPorts: [a.port, b.port] }, a, b }
    },
    async live(name, choices) {
      const entries = Object.entries(choices).map(([service, choice]) => [
        service,
        typeof choice === 'string' ? { slot: choice } : choice,
      ])
      await router.lay(host, fence, set(name, Object.fromEntries(entries)))
      await router.switch(host, fence, name)
    },
    async end() {
      await Promise.all(rooms.map((room) => room.close()))
      await router.teardown(host, { root, number: Number.MAX_SAFE_INTEGER })
      await Promise.all(slots.map((slot) => slot.stop()))
      await host.run({ program: 'rm', argv: ['-rf', base] })
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not an address of TCP')
  return address.port
}

/** What the work was refused with; fails when it was not. */
export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  return assert.fail('should have been refused')
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'

/** One request of a load, as its client saw it. */
export interface LoadAnswer {
  /** Number of the client. */
  readonly client: number
  readonly port: number
  readonly method: 'GET' | 'POST'
  /** What `mark` gave when the request was sent, and when its answer was complete. */
  readonly sent: number
  readonly received: number
  /** undefined: no answer; `error` says why. */
  readonly status: number | undefined
  readonly body: string
  readonly error?: string
}

export interface LoadOptions {
  readonly ports: readonly number[]
  readonly clients: number
  /** Default 127.0.0.1. */
  readonly address?: string
  /** A client that has waited so long gives up, which is no answer. Default 2 minutes. */
  readonly patienceMs?: number
  readonly methods?: readonly ('GET' | 'POST')[]
  readonly bodyBytes?: number
  /** Read when a request is sent and when it is answered. */
  readonly mark?: () => number
  /** Ends a load that nobody has stopped. Default 100,000 requests. */
  readonly maxRequests?: number
}

export interface Load {
  readonly answers: readonly LoadAnswer[]
  /** Lets every client finish its request. */
  stop(): Promise<readonly LoadAnswer[]>
}

/** Clients that each send one request after the other on a connection that they keep. */
export function startLoad(options: LoadOptions): Load {
  const { ports, clients, methods = ['GET', 'POST'], bodyBytes = 0, mark = () => 0, maxRequests = 100_000 } = options
  const { address = '127.0.0.1', patienceMs = 120_000 } = options
  const body = Buffer.alloc(bodyBytes, 'x')
  const answers: LoadAnswer[] = []
  const stopping = new AbortController()

  async function client(number: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let turn = number; !stopping.signal.aborted && answers.length < maxRequests; turn++) {
      const port = ports[turn % ports.length] ?? 0
      const method = methods[turn % methods.length] ?? 'GET'
      const sent = mark()
      const reply = await send(agent, {
        address,
        port,
        method,
        patienceMs,
        path: `/${number}/${turn}`,
        body: method === 'POST' ? body : undefined,
      })
      answers.push({ client: number, port, method, sent, received: mark(), ...reply })
    }
    agent.destroy()
  }

  const running = Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  return {
    answers,
    async stop() {
      stopping.abort()
      await running
      return answers
    },
  }
}

interface Sending {
  readonly address: string
  readonly patienceMs: number
  readonly port: number
  readonly method: string
  readonly path: string
  readonly body: Buffer | undefined
}

async function send(
  agent: Agent,
  { address, port, method, patienceMs, path, body }: Sending,
): Promise<Pick<LoadAnswer, 'status' | 'body' | 'error'>> {
  try {
    const asked = httpRequest({ host: address, port, method, path, agent })
    asked.setTimeout(patienceMs, () => asked.destroy(new Error('gave up')))
    asked.end(body)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the documented argument of this event
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const chunks = await response.toArray()
    return { status: response.statusCode, body: Buffer.concat(chunks).toString() }
  } catch (error) {
    return { status: undefined, body: '', error: String(error) }
  }
}

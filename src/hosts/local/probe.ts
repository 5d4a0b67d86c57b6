import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { errorCode } from '../error-code.ts'
import type { Probe, ProbeAnswer } from '../host.ts'

const KEPT_BODY_BYTES = 4096

/** Asks one HTTP question of this machine's loopback, on a connection of its own. Never rejects. */
export function probeLocally(probe: Probe, signal?: AbortSignal): Promise<ProbeAnswer> {
  const started = performance.now()
  return new Promise((resolve) => {
    let asked: ClientRequest | undefined
    const settle = (answer: Omit<ProbeAnswer, 'durationMs'>): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      resolve({ ...answer, durationMs: performance.now() - started })
      asked?.destroy()
    }
    const fail = (error: string): void => settle({ status: undefined, body: '', error })
    const onAbort = (): void => fail('aborted')
    const timer = setTimeout(() => fail(`no answer within ${probe.timeoutMs} ms`), probe.timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) {
      onAbort()
      return
    }
    try {
      asked = ask(probe)
    } catch (error) {
      fail(describe(error))
      return
    }
    asked.on('response', (response) => {
      void readBody(response).then((body) => settle({ status: response.statusCode, body }))
    })
    asked.on('error', (error) => fail(describe(error)))
    asked.on('close', () => fail('closed without an answer'))
  })
}

function ask(probe: Probe): ClientRequest {
  const asked = request({
    host: '127.0.0.1',
    port: probe.port,
    path: probe.path,
    method: probe.method ?? 'GET',
    headers: { connection: 'close', 'user-agent': 'drover-probe', ...probe.headers },
    agent: false,
  })
  asked.end()
  return asked
}

/** The first 4 KiB. A body that breaks off is no worse than a short one: the status has been said. */
function readBody(response: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const done = (): void => resolve(Buffer.concat(chunks).subarray(0, KEPT_BODY_BYTES).toString())
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= KEPT_BODY_BYTES) {
        done()
      }
    })
    response.on('end', done)
    response.on('error', done)
    response.on('close', done)
  })
}

function describe(error: unknown): string {
  const code = errorCode(error)
  const message = error instanceof Error ? error.message : String(error)
  return code === undefined ? message : `${code}: ${message}`
}

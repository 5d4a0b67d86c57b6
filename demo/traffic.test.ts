import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, test, type TestContext } from 'node:test'
import { startTraffic, type RequestKind, type Target, type Traffic } from './traffic.ts'

const RATE = 400

interface Site {
  readonly port: number
  readonly asked: string[]
  connections(): number
}

/** A server on a port of its own that ends with the test. */
async function serve(t: TestContext, handler: RequestListener): Promise<Site> {
  const asked: string[] = []
  let connections = 0
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    handler(request, response)
  })
  server.on('connection', () => connections++)
  const port = await listen(server)
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port, asked, connections: () => connections }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

/** A port that was free a moment ago. */
async function unusedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function target(service: string, port: number, kinds: readonly RequestKind[] = [get('/')]): Target {
  return { service, host: '127.0.0.1', port, kinds }
}

function get(path: string, weight = 1): RequestKind {
  return { method: 'GET', path: () => path, weight }
}

/** Traffic until so many requests are out; all of them are answered when it returns. */
async function send(count: number, targets: readonly Target[], seed = 1, timeoutMs = 5_000): Promise<Traffic> {
  const traffic = startTraffic({ targets, requestsPerSecond: RATE, seed, timeoutMs })
  while (traffic.stats.sent < count) await sleep(5)
  await traffic.stop()
  return traffic
}

/** The kinds of request in the order in which they were sent. */
async function kindsAsked(port: number, seed: number): Promise<string[]> {
  const asked: string[] = []
  const kinds = ['a', 'b', 'c'].map((name) => ({ ...get(''), path: () => (asked.push(name), `/${name}`) }))
  await send(40, [target('one', port, kinds)], seed)
  return asked
}

describe('traffic', () => {
  test('every request is counted once, per service and per second, over kept connections', async (t) => {
    const site = await serve(t, (_, response) => response.end('fine'))

    const traffic = await send(120, [target('one', site.port), target('two', site.port)])

    const report = traffic.report()
    const { one, two } = report.services
    assert.equal(report.failed, 0)
    assert.equal(report.sent, site.asked.length)
    assert.equal(report.ok, traffic.stats.sent)
    assert.ok(one !== undefined && two !== undefined && Math.abs(one.sent - two.sent) <= 1)
    assert.equal(
      traffic.seconds().reduce((sum, second) => sum + second.sent, 0),
      report.sent,
    )
    // How many are kept depends on how many requests are under way at once, and so on what else the machine does.
    assert.ok(site.connections() < report.sent, `${site.connections()} connections for ${report.sent} requests`)
  })

  test('the same seed asks the same in the same order, another seed does not', async (t) => {
    const site = await serve(t, (_, response) => response.end())

    const asked = await Promise.all([7, 7, 8].map((seed) => kindsAsked(site.port, seed)))

    const [first, second, third] = asked.map((names) => names.slice(0, 40).join(''))
    assert.equal(first, second)
    assert.notEqual(first, third)
  })

  test('failures are told apart by their reason', async (t) => {
    const site = await serve(t, (request, response) => {
      if (request.url === '/broken') response.writeHead(502).end()
      else if (request.url === '/cut')
        response.writeHead(200, { 'content-length': 10 }).end('half', () => response.destroy())
      else if (request.url === '/reset') request.socket.destroy()
    })
    const kinds = ['/broken', '/cut', '/reset', '/silent']

    const traffic = await send(
      100,
      kinds.map((path) => target(path, site.port, [get(path)])),
      1,
      300,
    )

    const reasons = Object.entries(traffic.report().services).map(([name, { reasons }]) => [name, Object.keys(reasons)])
    assert.deepEqual(Object.fromEntries(reasons), {
      '/broken': ['status 502'],
      '/cut': ['truncated'],
      '/reset': ['ECONNRESET'],
      '/silent': ['timeout'],
    })
    assert.equal(traffic.stats.failed, traffic.stats.sent)
  })

  test('a service that is away fails its own requests only', async (t) => {
    const site = await serve(t, (_, response) => response.end())
    const port = await unusedPort()

    const traffic = await send(60, [target('here', site.port), target('away', port)])

    const { services, firstFailures } = traffic.report()
    assert.equal(services['here']?.failed, 0)
    assert.deepEqual(services['away']?.reasons, { ECONNREFUSED: services['away']?.sent })
    assert.ok(firstFailures.every((sample) => sample.service === 'away'))
  })

  test('bodies arrive whole, and a report has only the requests sent within its window', async (t) => {
    const received: number[] = []
    const site = await serve(t, (request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => (bytes += chunk.length))
      request.on('end', () => {
        received.push(bytes)
        response.end()
      })
    })
    const upload: RequestKind = { method: 'POST', path: () => '/', body: () => new Uint8Array(100_000), weight: 1 }
    const start = Date.now()

    const traffic = await send(20, [target('one', site.port, [upload])])

    assert.deepEqual(new Set(received), new Set([100_000]))
    assert.equal(traffic.report(start, Date.now() + 1).sent, traffic.stats.sent)
    assert.equal(traffic.report(0, start).sent, 0)
    assert.equal(traffic.report(Date.now() + 1).sent, 0)
  })
})

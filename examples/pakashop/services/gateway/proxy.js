import { answer, send } from '../../packages/service/answers.js'
import { http } from '../../packages/service/http.js'
import { addressOf, routes } from './routes.js'

const agent = new http.Agent({ keepAlive: true, timeout: 30_000 })
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding']

/** Passes `/api/v1/<name>/…` on to the service of that name, bodies and answers as streams; counts by name. */
export function proxy(request, response, count) {
  const [, api, v1, name] = request.url.split(/[/?]/)
  const route = api === 'api' && v1 === 'v1' ? routes[name] : undefined
  if (!route) return answer(404, { error: `no route for ${request.url}` })
  count(name)
  pass(request, response, { address: addressOf(route), path: request.url.slice('/api/v1'.length) })
}

function pass(request, response, target) {
  const { hostname, port } = target.address
  const headers = { ...request.headers, host: `${hostname}:${port}` }
  delete headers.connection
  const upstream = http.request({ agent, hostname, port, path: target.path, method: request.method, headers })
  upstream.on('response', (answered) => {
    const headers = { ...answered.headers }
    for (const name of HOP_BY_HOP) delete headers[name]
    response.writeHead(answered.statusCode, headers)
    answered.pipe(response)
    answered.on('error', () => response.destroy())
  })
  upstream.on('error', (error) => {
    // The other end closed a kept connection just as we used it: nothing was answered, and a GET may be asked again.
    if (upstream.reusedSocket && error.code === 'ECONNRESET' && request.method === 'GET' && !response.headersSent)
      pass(request, response, target)
    else if (response.headersSent) response.destroy()
    else send(response, answer(502, { error: error.message || error.code }))
  })
  response.on('close', () => upstream.destroy())
  if (request.readableEnded) upstream.end()
  else request.pipe(upstream)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { answer, readJson, send, sendError } from './answers.js'
import { http } from './http.js'
import { identify, readBehaviour } from './identity.js'
import { getJson } from './peers.js'
import { compileRoutes } from './routes.js'
import { prepare } from './start.js'
import { stopGracefully } from './stop.js'

/**
 * Runs one service until it is told to stop.
 *
 * @param {string} folder the service's own folder; its name is the service's name
 * @param {object} definition
 *   needs: names of services that must be ready first; `config` also fills `flags`.
 *   stores: by name, things with `check()` and `close()`.
 *   routes: `'GET /orders/:id'` to a handler of `{params, query, flags, json(), peer(), request, response}` whose result is sent as JSON.
 *   controls: the same, but answered whether or not the service is ready, and never at fault.
 *   proxy: takes every request that no route takes, and answers it itself.
 *   background: called once ready with `{identity, flags}`; the function that it returns is awaited at the end.
 */
export function runService(folder, definition) {
  const { needs = ['config'], stores = {}, background } = definition
  const identity = identify(folder)
  const behaviour = readBehaviour(folder)
  if (behaviour.exitAtStart) {
    console.error('exitAtStart: giving up')
    process.exit(1)
  }
  const state = { ready: false, stopping: false, served: 0, details: {}, flags: {} }
  const context = { definition, identity, behaviour, state, find: finder(definition) }

  const server = http.createServer((request, response) => void handle(context, request, response))
  server.keepAliveTimeout = 65_000
  server.listen(Number(process.env.PORT), process.env.HOST ?? '127.0.0.1', () => {
    console.log(`${identity.service} ${identity.version} listens on ${server.address().port}`)
  })

  let ended = async () => {}
  stopGracefully(server, {
    state,
    behaviour,
    close: async () => {
      await ended()
      await Promise.all(Object.values(stores).map((store) => store.close()))
    },
  })
  void prepare({ needs, stores, details: state.details, flags: state.flags }).then(async () => {
    if (state.stopping || behaviour.neverReady) return
    if (background) ended = await background({ identity, flags: state.flags })
    state.ready = true
    console.log(`${identity.service} ${identity.version} is ready`)
  })
}

function finder({ routes = {}, controls = {} }) {
  return { route: compileRoutes(routes), control: compileRoutes(controls) }
}

async function handle(context, request, response) {
  // A kept connection must not hold up a process that stops, nor be reused after it has gone.
  if (context.state.stopping) response.setHeader('connection', 'close')
  try {
    const result = await reply(context, request, response)
    if (result !== undefined) send(response, result)
  } catch (error) {
    sendError(response, error)
  }
}

async function reply(context, request, response) {
  const { definition, identity, state, find } = context
  const url = new URL(request.url, 'http://localhost')
  const tools = {
    query: url.searchParams,
    flags: state.flags,
    request,
    response,
    json: () => readJson(request),
    peer: (name, path) => getJson(name, path, request.headers['x-drover-set']),
  }
  if (url.pathname === '/health') return { status: 'ok', ...identity }
  if (url.pathname === '/health/ready') return readiness(context)
  if (url.pathname === '/version') return identity
  const control = find.control(request.method, url.pathname)
  if (control) return control.handler({ ...tools, params: control.params })
  if (!state.ready) return answer(503, { error: 'not ready' })
  const fault = await misbehave(context, request.method)
  if (fault) return fault
  const route = find.route(request.method, url.pathname)
  if (route) return route.handler({ ...tools, params: route.params })
  if (definition.proxy) return definition.proxy(request, response)
  return answer(404, { error: `no ${request.method} ${url.pathname} here` })
}

async function readiness({ identity, state, definition }) {
  const { stopping, details } = state
  const now = { ...details }
  if (state.ready) await Promise.all(Object.entries(definition.stores ?? {}).map((store) => checkAgain(store, now)))
  const ready = state.ready && !stopping && Object.values(now).every((detail) => detail.ok)
  return answer(ready ? 200 : 503, { ready, stopping, ...identity, dependencies: now })
}

async function checkAgain([name, store], details) {
  try {
    details[name] = { ok: true, ...(await store.check()) }
  } catch (error) {
    details[name] = { ok: false, detail: error.message || error.code }
  }
}

async function misbehave({ behaviour, state }, method) {
  state.served++
  if (behaviour.slowMs > 0) await sleep(behaviour.slowMs)
  if (behaviour.failAfter > 0 && state.served > behaviour.failAfter && method === 'GET')
    return answer(500, { error: `failAfter ${behaviour.failAfter} requests` })
}

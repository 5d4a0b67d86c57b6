/**
 * Finds the handler of a request. `routes` maps `'GET /orders/:id'` to a function; the answer has the function and
 * the named parts of the path, or is undefined.
 */
export function compileRoutes(routes) {
  const compiled = Object.entries(routes).map(([pattern, handler]) => {
    const [method, path] = pattern.split(' ')
    return { method, parts: path.split('/'), handler }
  })
  return (method, path) => {
    const asked = path.split('/')
    for (const route of compiled) {
      const params = route.method === method && match(route.parts, asked)
      if (params) return { handler: route.handler, params }
    }
  }
}

function match(parts, asked) {
  if (parts.length !== asked.length) return undefined
  const params = {}
  for (const [i, part] of parts.entries()) {
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(asked[i])
    else if (part !== asked[i]) return undefined
  }
  return params
}

import { http } from './http.js'

const TIMEOUT_MS = 5_000
// Idle connections go before a router in between may close them, which would race the next request.
const agent = new http.Agent({ keepAlive: true, timeout: 30_000 })

/** Address of another service, as `CONFIG_URL` says it. */
export function addressOf(peer) {
  const name = `${peer.toUpperCase()}_URL`
  if (!process.env[name]) throw new Error(`${name} is not set`)
  return process.env[name]
}

/**
 * GET of JSON from another service; rejects for anything but a 2xx. `set` is the header of the request that this
 * call is made for, so that a request meant for a release that is not live yet stays in it all the way down.
 */
export function getJson(peer, path, set) {
  return new Promise((resolve, reject) => {
    const headers = set ? { 'x-drover-set': set } : {}
    const request = http.get(new URL(path, addressOf(peer)), { agent, headers, timeout: TIMEOUT_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode >= 300) reject(new Error(`${peer} answered ${response.statusCode}`))
        else resolve(JSON.parse(text))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`${peer} did not answer in ${TIMEOUT_MS} ms`)))
    request.on('error', reject)
  })
}

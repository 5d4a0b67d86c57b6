const BODY_LIMIT = 1024 * 1024
const ANSWER = Symbol('answer')

/** An answer other than 200: `return answer(201, {...})`, or `throw answer(404, {...})` from deeper down. */
export function answer(status, body) {
  return { [ANSWER]: true, status, body }
}

export function send(response, result) {
  const { status, body } = result?.[ANSWER] ? result : { status: 200, body: result }
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** What a handler threw: an answer is sent as it is, anything else is a 500 and a line in the log. */
export function sendError(response, error) {
  if (!error?.[ANSWER]) console.error(error)
  if (response.headersSent) response.destroy()
  else send(response, error?.[ANSWER] ? error : answer(500, { error: String(error?.message ?? error) }))
}

export async function readJson(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > BODY_LIMIT) throw answer(413, { error: `body is larger than ${BODY_LIMIT} bytes` })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw answer(400, { error: 'body is not JSON' })
  }
}

import type { Probe, ProbeAnswer } from '../host.ts'

const KEPT_BODY_BYTES = 4096

/** The bytes of the question; a text says why it cannot be asked. */
export function renderRequest(probe: Probe): Buffer | string {
  const { method = 'GET', path, port } = probe
  const headers = { host: `127.0.0.1:${port}`, connection: 'close', 'user-agent': 'drover-probe', ...probe.headers }
  if (!/^\/[\u0021-\u007e]*$/.test(path)) return `not a path of HTTP: ${JSON.stringify(path)}`
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const wrong = lines.find((line) => !/^[\w!#$%&'*+.^`|~-]+: [\t\u0020-\u007e\u0080-\u00ff]*$/.test(line))
  if (wrong !== undefined) return `not a header of HTTP: ${JSON.stringify(wrong.split(':')[0])}`
  const length = method === 'POST' ? ['content-length: 0'] : []
  return Buffer.from([`${method} ${path} HTTP/1.1`, ...lines, ...length, '', ''].join('\r\n'), 'latin1')
}

/** Reads what came back, whole or as much as was waited for. */
export function readResponse(bytes: Buffer, ended: string): Pick<ProbeAnswer, 'status' | 'body' | 'error'> {
  const text = bytes.toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})\b/.exec(text)?.[1]
  if (status === undefined || headEnd === -1) {
    const garbage = bytes.length > 0 && status === undefined && ended === 'eof'
    return none(garbage ? 'what answers does not speak HTTP' : ended === 'eof' ? 'closed without an answer' : ended)
  }
  const head = text.slice(0, headEnd)
  const rest = bytes.subarray(headEnd + 4)
  const body = /^transfer-encoding:.*chunked/im.test(head) ? unchunk(rest) : { bytes: rest, whole: isWhole(head, rest) }
  if (ended !== 'eof' && ended !== 'enough' && !body.whole) return none(ended)
  return { status: Number(status), body: body.bytes.subarray(0, KEPT_BODY_BYTES).toString() }
}

function none(error: string): Pick<ProbeAnswer, 'status' | 'body' | 'error'> {
  return { status: undefined, body: '', error }
}

/** A server may keep the connection open though it was asked to close it. */
function isWhole(head: string, body: Buffer): boolean {
  const length = /^content-length:\s*(\d+)/im.exec(head)?.[1]
  return body.length >= KEPT_BODY_BYTES || (length !== undefined && body.length >= Number(length))
}

function unchunk(bytes: Buffer): { bytes: Buffer; whole: boolean } {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size) || size === 0) return { bytes: Buffer.concat(parts), whole: size === 0 }
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

import type { Peer } from '../router.ts'
import { askFor, mayRepeat } from './exchange.ts'
import type { Answer, Exchange } from './exchange.ts'

/** Marks what another host's router passes on. */
export const PEER_HEADER = 'x-drover-peer'

const LEFT_ALONE_MS = 5000

/** What is known of the peers of all services: when each was asked last, and until when it is left alone. */
export type PeerMemory = Map<string, { asked: number; until: number }>

/** Asks the peer that was asked longest ago, and for what may be repeated the next one. */
export async function askPeers(
  memory: PeerMemory,
  peers: readonly Peer[],
  exchange: Exchange,
): Promise<{ answer: Answer; isFirst: boolean }> {
  let answer: Answer = 'no peers'
  for (const [index, { address, port }] of inOrder(memory, peers).entries()) {
    const known = { asked: performance.now(), until: 0 }
    memory.set(`${address} ${port}`, known)
    if (typeof answer !== 'string') answer.resume()
    answer = await askFor(exchange, { host: address, port }, { [PEER_HEADER]: '1' })
    // A 500 is the service's own; it says nothing of the host.
    const isOwn = typeof answer !== 'string' && answer.statusCode === 500
    if (isOwn || !mayFail(answer)) return { answer, isFirst: index === 0 }
    known.until = performance.now() + LEFT_ALONE_MS
    if (!mayRepeat(exchange.request, answer)) return { answer, isFirst: index === 0 }
  }
  return { answer, isFirst: peers.length === 1 }
}

function mayFail(answer: Answer): boolean {
  return typeof answer === 'string' || [502, 503, 504].includes(answer.statusCode ?? 0)
}

/** Those that are left alone come last: when all are, any may be back. */
function inOrder(memory: PeerMemory, peers: readonly Peer[]): Peer[] {
  const now = performance.now()
  const of = ({ address, port }: Peer): { asked: number; until: number } =>
    memory.get(`${address} ${port}`) ?? { asked: 0, until: 0 }
  return peers.toSorted((one, other) => {
    const [a, b] = [of(one), of(other)]
    return Number(a.until > now) - Number(b.until > now) || a.asked - b.asked
  })
}

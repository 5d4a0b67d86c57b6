import { listensOf } from '../listens.ts'
import type { PeerRoute } from '../router.ts'
import { endpoint } from './addresses.ts'
import { checkedService } from './prefix.ts'

/** How long a peer that failed is left alone; then one request tries it. */
const LEFT_ALONE = '5s'

/** Room for a peer in the memory that the workers share, of which it needs a fifth. */
const KILOBYTES_PER_PEER = 4

/**
 * The workers share what they know of dead peers. When all have failed of late, the backups are asked, which are the
 * same ones and never counted out: a service that answers 503 to everyone is passed on as it is.
 */
export function renderPeers(routes: readonly PeerRoute[]): string {
  const count = routes.reduce((sum, { peers }) => sum + 2 * peers.length, 0)
  const zone = `zone drover_peers ${Math.max(256, count * KILOBYTES_PER_PEER)}k;`
  return routes.map((route) => renderUpstream(route, zone)).join('')
}

function renderUpstream({ service, peers }: PeerRoute, zone: string): string {
  if (peers.length === 0) throw new TypeError(`no host runs ${service}`)
  const line = (how: string) => (peer: (typeof peers)[number]) =>
    `        server ${endpoint(peer.address, peer.port)} ${how}; # ${checkedHost(peer.host)}\n`
  const servers =
    peers.length === 1
      ? peers.map(line('max_fails=0'))
      : [...peers.map(line(`max_fails=1 fail_timeout=${LEFT_ALONE}`)), ...peers.map(line('max_fails=0 backup'))]
  return `    upstream ${checkedService(service)}.peers {
        ${zone}
${servers.join('')}        keepalive 32;
        keepalive_timeout 1s;
    }
`
}

/**
 * Whatever is live here, the peer decides which of its slots answers. A host without power says nothing: who connects
 * to it goes on to the next after 1 s, and who waits for its answer after 60 s where that is safe to ask again. What
 * must not be repeated, and streams, are given up after 10 minutes without a byte.
 */
export function renderPeerServer(routes: readonly PeerRoute[], id: string): string {
  const listens = routes.flatMap(listensOf).map(({ address, port }) => `        listen ${endpoint(address, port)};\n`)
  return `
    server {
${listens.join('')}
        proxy_connect_timeout 1s;
        proxy_send_timeout 60s;
        proxy_read_timeout 60s;
        proxy_socket_keepalive on;
        proxy_next_upstream error timeout http_502 http_503 http_504;
        proxy_next_upstream_tries 3;

        set $drover_to $drover_service.peers;
        # For the log alone: the token travels on.
        set $drover_set live/;
        if (-e pending/$drover_token) { set $drover_set pending/$drover_token.; }

        location / {
            proxy_pass http://$drover_to;
            error_page 420 = @closing;
            error_page 421 = @patient;
            if (-e shapes/${id}/closing) { return 420; }
            if ($drover_patient) { return 421; }
        }

        location @closing {
            keepalive_timeout 0;
            proxy_read_timeout 10m;
            proxy_pass http://$drover_to;
        }

        location @patient {
            proxy_read_timeout 10m;
            proxy_pass http://$drover_to;
        }
    }
`
}

/** For a person who reads nginx.conf; here it keeps a name from ending the comment. */
function checkedHost(name: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw new TypeError(`not a name of a host: ${JSON.stringify(name)}`)
  return name
}

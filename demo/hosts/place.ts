import { join } from 'node:path'
import { quote } from '../../src/hosts/host.ts'
import type { Target } from '../traffic.ts'
import { rewrite } from '../stage.ts'
import type { HostsStage } from './hosts-stage.ts'

/** Says in drover.yaml which hosts the fleet runs on; gives the lines that are new, with those of `drover hosts add`. */
export async function placeFleet(stage: HostsStage): Promise<string> {
  await rewrite(join(stage.repository, 'drover.yaml'), (text) =>
    text
      .replace('defaults:\n', 'defaults:\n  on: [app]\n')
      .replace('  production:\n', '  production:\n    hosts: [edge, app]\n'),
  )
  const changed = stage.git('diff', '--unified=0', 'drover.yaml').split('\n')
  stage.commit('Three hosts')
  return changed.flatMap((line) => (/^\+[^+]/.test(line) ? `  ${line}` : [])).join('\n')
}

/**
 * The configuration of the edge's own, public nginx, which is its owner's and not Drover's: it listens on the host's
 * address and sends everything on to the upstreams that `drover hosts bootstrap` has named. A shop would have one server,
 * for its gateway; here every service has one, so that the traffic reaches them all.
 */
export async function openToThePublic({ edge }: HostsStage, targets: readonly Target[]): Promise<void> {
  const text = targets.map(({ service, port }) => server(`${edge.address}:${port}`, service)).join('')
  const file = '/etc/nginx/conf.d/pakashop.conf'
  await edge.inside(['sh', '-c', `printf %s ${quote(text)} >${file} && nginx -t -q && systemctl reload nginx`])
}

function server(address: string, service: string): string {
  return `server {
  listen ${address};
  location / {
    proxy_pass http://pakashop-production-${service};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
  }
}
`
}

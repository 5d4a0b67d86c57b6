import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import type { Router, RouterReport } from '../router.ts'
import type { WaitingLimits } from '../waiting-queue.ts'
import { readTraffic } from './access-log.ts'
import { openWaitingRoom } from './hold-socket.ts'
import { prefixOf } from './prefix.ts'
import { END_PROCESSES, LIST_PROCESSES, masterOf, readProcesses } from './processes.ts'
import { laySet, pruneSets, readSet, switchTo } from './sets.ts'
import { shapeNginx } from './shape.ts'

export interface NginxOptions {
  /** Name or path of the program on the hosts. Default `nginx`; 1.15.3 or newer. */
  readonly program?: string
  readonly waiting?: WaitingLimits
}

/**
 * Traffic through an nginx that Drover runs in a folder of its own, as the user that it is on the host; no root, and
 * nothing of the system's nginx is touched.
 *
 * The waiting room is a socket on this machine, so it serves a host that is this machine.
 */
export function nginxRouter({ program = 'nginx', waiting = {} }: NginxOptions = {}): Router {
  return {
    name: 'nginx',
    shape: (host, fence, routes) => shapeNginx({ host, fence, program }, routes),
    lay: (host, fence, set, token) => laySet({ host, fence, program }, set, token),
    switch: (host, fence, set) => switchTo({ host, fence, program }, set),
    prune: (host, fence, keep) => pruneSets({ host, fence, program }, keep),
    waitingRoom: (_host, root) => openWaitingRoom(prefixOf(root).holdSocket, waiting),
    observe,
    traffic: (host, root, from, to) => readTraffic(host, root, { from, to }),
    teardown: async (host, fence) => {
      const { folder } = prefixOf(fence.root)
      await act(
        host,
        fence,
        [
          { kind: 'run', program: 'sh', argv: ['-c', STOP, 'sh', folder] },
          { kind: 'remove', path: folder },
        ],
        { label: 'stop the router' },
      )
    },
  }
}

const STOP = `${LIST_PROCESSES}${END_PROCESSES}
end_processes "$1" '^process '`

const OBSERVE = `${LIST_PROCESSES}
list_processes "$1"
if [ -e "$1/live/set.json" ]; then printf 'live '; cat -- "$1/live/set.json"; fi`

async function observe(host: Host, root: string): Promise<RouterReport> {
  const { folder } = prefixOf(root)
  const { ok, stdout, stderr } = await host.run({ program: 'sh', argv: ['-c', OBSERVE, 'sh', folder] })
  if (!ok) {
    throw refusal('routers/unreadable', `host ${host.name}`, `cannot look at nginx in ${folder}: ${stderr.trim()}`)
  }
  const master = masterOf(readProcesses(stdout))
  const live = /^live (.*)$/m.exec(stdout)?.[1]
  return {
    running: master !== undefined,
    ...(master === undefined ? {} : { shape: master.shape }),
    ...(live === undefined ? {} : { live: readSet(live) }),
  }
}

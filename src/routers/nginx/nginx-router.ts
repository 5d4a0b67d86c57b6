import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { refusal } from '../../problem/problem.ts'
import type { Router, RouterReport } from '../router.ts'
import type { WaitingLimits } from '../waiting-queue.ts'
import { readTraffic, ROTATE_AT_BYTES } from './access-log.ts'
import { waitingRooms } from './hold-socket.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { prefixOf } from './prefix.ts'
import { END_PROCESSES, LIST_PROCESSES, masterOf, readProcesses } from './processes.ts'
import { laySet, pruneSets, readSet, settleOn, switchTo } from './sets.ts'
import { shapeNginx } from './shape.ts'

export interface NginxOptions {
  /** Name or path of the program on the hosts. Default `nginx`; 1.15.8 or newer. */
  readonly program?: string
  readonly waiting?: WaitingLimits
  /** `prune` starts the access log anew beyond this size and keeps one older file. Default 64 MiB. */
  readonly rotateAtBytes?: number
  /** How long before a reload every answer asks its client to come back on a new connection. Default 1 s. */
  readonly closingMs?: number
}

/**
 * Traffic through an nginx that Drover runs in a folder of its own, as the user that it is on the host; no root, and
 * nothing of the system's nginx is touched.
 *
 * A request's body is read whole before the slot sees it, so that a request can be repeated or wait; what does not fit
 * into memory lies in the prefix meanwhile. So uploads need room on that disk, and a slot cannot answer while a client
 * still sends.
 *
 * The waiting room is a part of this process: a host that is another machine needs a tunnel to it, see `Host.tunnel`.
 */
export function nginxRouter(options: NginxOptions = {}): Router {
  const { program = 'nginx', waiting = {}, rotateAtBytes = ROTATE_AT_BYTES, closingMs = 1000 } = options
  const at = (host: Host, fence: Fence): Instance => ({ host, fence, program, rotateAtBytes, closingMs })
  const rooms = waitingRooms(waiting)
  return {
    name: 'nginx',
    shape: (host, fence, routes) => shapeNginx(at(host, fence), routes),
    lay: (host, fence, set, token) => laySet(at(host, fence), set, token),
    switch: (host, fence, set) => switchTo(at(host, fence), set),
    settle: (host, fence, set, besides) => settleOn(at(host, fence), set, besides),
    prune: (host, fence, keep) => pruneSets(at(host, fence), keep),
    waitingRoom: (host, root) => rooms(host, prefixOf(root).holdSocket),
    observe,
    traffic: (host, root, from, to) => readTraffic(host, root, { from, to }),
    teardown: (host, fence) => tearDown(at(host, fence)),
  }
}

const STOP = `${LIST_PROCESSES}${END_PROCESSES}
end_processes "$1" '^process '`

async function tearDown(instance: Instance): Promise<void> {
  const { folder } = prefixOf(instance.fence.root)
  await change(instance, [script(STOP, [folder]), { kind: 'remove', path: folder }], 'stop the router')
}

const OBSERVE = `${LIST_PROCESSES}
list_processes "$1"
if [ -e "$1/live/set.json" ]; then printf 'live '; cat -- "$1/live/set.json"; fi`

async function observe(host: Host, root: string): Promise<RouterReport> {
  const { folder } = prefixOf(root)
  const { ok, stdout, stderr } = await host.run({
    program: 'sh',
    argv: ['-c', OBSERVE, 'sh', folder],
    summary: 'observe nginx',
  })
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

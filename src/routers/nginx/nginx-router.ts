import { explainHelper } from '../../hosts/drover-host/drover-host.ts'
import { isSealed } from '../../hosts/drover-host/seal.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import type { Router, RouterReport } from '../router.ts'
import type { WaitingLimits } from '../waiting-queue.ts'
import { readTraffic, ROTATE_AT_BYTES } from './access-log.ts'
import { waitingRooms } from './hold-socket.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { prefixOf } from './prefix.ts'
import { END_PROCESSES, LIST_PROCESSES, masterOf } from './processes.ts'
import { laySet, pruneSets, settleOn, switchTo } from './sets.ts'
import { shapeNginx } from './shape.ts'
import { look } from './sight.ts'
import type { Looking, Sight } from './sight.ts'
import { STOP_UNIT, unitPath } from './unit.ts'

export interface NginxOptions {
  /** Name or path of the program on the hosts. Default `nginx`; 1.15.8 or newer. */
  readonly program?: string
  readonly waiting?: WaitingLimits
  /** `prune` starts the access log anew beyond this size and keeps one older file. Default 64 MiB. */
  readonly rotateAtBytes?: number
  /** Names nginx among the units of a host whose systemd is to run it. Absent: it runs by itself everywhere. */
  readonly owner?: UnitOwner
  /** How long before a reload every answer asks its client to come back on a new connection. Default 1 s. */
  readonly closingMs?: number
}

/**
 * Traffic through an nginx that Drover runs in a folder of its own, as the user that it is on the host; no root, and
 * nothing of the system's nginx is touched. Where root's helper is on the host, systemd runs it, so that it comes back
 * with the host.
 *
 * A request's body is read whole before the slot sees it, so that a request can be repeated or wait; what does not fit
 * into memory lies in the prefix meanwhile. So uploads need room on that disk, and a slot cannot answer while a client
 * still sends.
 *
 * The waiting room is a part of this process: a host that is another machine needs a tunnel to it, see `Host.tunnel`.
 */
export function nginxRouter(options: NginxOptions = {}): Router {
  const { program = 'nginx', waiting = {}, rotateAtBytes = ROTATE_AT_BYTES, closingMs = 1000, owner } = options
  const at = (host: Host, fence: Fence): Instance => ({ host, fence, program, rotateAtBytes, closingMs, owner })
  const rooms = waitingRooms(waiting)
  return {
    name: 'nginx',
    shape: (host, fence, routes) => shapeNginx(at(host, fence), routes),
    lay: (host, fence, set, token) => laySet(at(host, fence), set, token),
    switch: (host, fence, set) => switchTo(at(host, fence), set),
    settle: (host, fence, set, besides) => settleOn(at(host, fence), set, besides),
    prune: (host, fence, keep) => pruneSets(at(host, fence), keep),
    waitingRoom: (host, root) => rooms(host, prefixOf(root).holdSocket),
    observe: (host, root) => observe({ host, root, program, owner }),
    traffic: (host, root, from, to) => readTraffic(host, root, { from, to }),
    teardown: (host, fence) => tearDown(at(host, fence)),
  }
}

const STOP = `${LIST_PROCESSES}${END_PROCESSES}${STOP_UNIT}
if [ -n "$2" ]; then stop_unit "$2" "$3" "$4" || exit; fi
end_processes "$1" '^process '`

async function tearDown(instance: Instance): Promise<void> {
  const { host, fence, owner } = instance
  const { folder } = prefixOf(fence.root)
  const unit = owner === undefined ? [''] : [owner.fleet, owner.environment, unitPath(owner)]
  try {
    await change(instance, [script(STOP, [folder, ...unit]), { kind: 'remove', path: folder }], 'stop the router')
  } catch (error) {
    throw explainHelper(host.name, error)
  }
}

async function observe(looking: Looking): Promise<RouterReport> {
  const seen = await look(looking)
  const { live, edited } = seen
  const master = masterOf(seen.processes)
  const files = [...edited.shape, ...edited.live, ...editedUnit(looking, seen), ...otherShape(looking, seen)]
  return {
    running: master !== undefined,
    ...(master === undefined ? {} : { shape: master.shape }),
    ...(live === undefined ? {} : { live }),
    ...(files.length === 0 ? {} : { edited: files }),
  }
}

/** Where systemd could run nginx and does not, or not as it was told to. */
function editedUnit({ owner }: Looking, { systemd, program, configured }: Sight): string[] {
  if (owner === undefined || systemd === undefined || program === undefined || configured === undefined) return []
  return systemd.unit !== undefined && isSealed(systemd.unit) ? [] : [unitPath(owner)]
}

/** nginx would load another shape, as laid as it may be, at its next start. */
function otherShape({ root }: Looking, { processes, configured, edited }: Sight): string[] {
  const shape = masterOf(processes)?.shape
  const isTold = edited.shape.length > 0 || configured === undefined || shape === undefined
  return isTold || shape === configured ? [] : [prefixOf(root).configuration]
}

import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import type { Refusal } from '../../problem/problem.ts'
import { gatherer } from '../gather.ts'
import type { Runtime, SlotRef, SlotReport } from '../runtime.ts'
import { sameSlot } from '../slot-refs.ts'
import type { SystemdPlace } from './place.ts'
import { inspectSystemd } from './inspect.ts'
import { followLogs, tailLog } from './logs.ts'
import { prepareSystemd } from './prepare.ts'
import { startSlots } from './start.ts'
import type { StartRequest } from './start.ts'
import { stopSlots } from './stop.ts'
import { report, survey } from './survey.ts'
import { teardownSystemd } from './teardown.ts'

/** Slots of one tier are asked for within a few milliseconds of each other; each run apart costs a look and a command. */
const LINGER_MS = 8

/**
 * Slots as instances `a` and `b` of a template unit for each service, `<fleet>-<environment>-<service>@.service`, with
 * their logs in the journal. What needs root goes through the helper of `hosts/drover-host`. The host brings back after a
 * reboot what ran, by itself. Calls of `start` that come while one is under way are gathered and go together in the
 * next.
 */
export function systemdRuntime(owner: UnitOwner): Runtime {
  const starters = new WeakMap<Host, Map<string, Starter>>()
  const at = (host: Host, root: string): SystemdPlace => ({ ...owner, host, root })

  function starter(host: Host, fence: Fence): Starter {
    const ofHost = starters.get(host) ?? new Map<string, Starter>()
    starters.set(host, ofHost)
    const known = ofHost.get(fence.root)
    if (known?.number === fence.number) return known
    const start = gatherer(
      (requests: readonly StartRequest[]) => startSlots(at(host, fence.root), fence.number, requests),
      { lingerMs: LINGER_MS },
    )
    const made = { number: fence.number, start }
    ofHost.set(fence.root, made)
    return made
  }

  return {
    name: 'systemd',
    capabilities: { survivesReboot: true, limits: true },
    prepare: (host, fence) => prepareSystemd(at(host, fence.root), fence.number),
    async start(host, fence, slots) {
      const refused = slots.length === 0 ? undefined : await starter(host, fence).start(slots)
      if (refused !== undefined) throw refused
    },
    stop: (host, fence, slots) => stopSlots(at(host, fence.root), fence.number, slots),
    async observe(host, root, slots) {
      if (slots?.length === 0) return []
      const found = await survey(host, at(host, root), slots === undefined ? {} : { slots })
      const reports = found.slots.map(report).filter((one) => one !== undefined)
      return slots === undefined
        ? reports
        : slots.map((slot) => reports.find((one) => sameSlot(one, slot)) ?? absent(slot))
    },
    inspect: (host, root) => inspectSystemd(at(host, root)),
    tail: (host, root, slot, lines) => tailLog(at(host, root), slot, lines),
    follow: (host, root, slots, options) => followLogs(at(host, root), slots, options),
    teardown: (host, fence) => teardownSystemd(at(host, fence.root), fence.number),
  }
}

/** Gathers the calls of one release in one environment. */
interface Starter {
  readonly number: number
  readonly start: (request: StartRequest) => Promise<Refusal | undefined>
}

function absent({ service, slot }: SlotRef): SlotReport {
  return { service, slot, state: 'absent', restarts: 0 }
}

import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { gatherer } from '../gather.ts'
import type { Refusal } from '../../problem/problem.ts'
import type { Runtime, SlotReport, SlotRef } from '../runtime.ts'
import { followLogs, tailLog } from './logs.ts'
import { preparePm2 } from './prepare.ts'
import { startSlots } from './start.ts'
import type { StartRequest } from './start.ts'
import { sameSlot } from '../slot-refs.ts'
import { stopSlots } from './stop.ts'
import { inspectSlots, report, survey } from './survey.ts'
import { teardownPm2 } from './teardown.ts'

/**
 * Slots as processes of PM2: works without systemd and without root. PM2 is a program of the host, called by its
 * command line only. One call takes 0.2 s and more, whatever the number of slots: calls of `start` on one host and
 * environment that come while one is under way are gathered and go together in the next. Nothing but `prepare` and
 * `start` calls PM2 at all.
 */
export function pm2Runtime(options: { readonly program?: string } = {}): Runtime {
  const program = options.program ?? 'pm2'
  const starters = new WeakMap<Host, Map<string, Starter>>()

  function starter(host: Host, fence: Fence): Starter {
    const ofHost = starters.get(host) ?? new Map<string, Starter>()
    starters.set(host, ofHost)
    const known = ofHost.get(fence.root)
    if (known?.number === fence.number) {
      return known
    }
    const start = gatherer((requests: readonly StartRequest[]) => startSlots(host, fence, requests, program))
    const made = { number: fence.number, start }
    ofHost.set(fence.root, made)
    return made
  }

  return {
    name: 'pm2',
    capabilities: { survivesReboot: false, limits: false },
    prepare: (host, fence) => preparePm2(host, fence, program),
    async start(host, fence, slots) {
      const refused = slots.length === 0 ? undefined : await starter(host, fence).start(slots)
      if (refused !== undefined) {
        throw refused
      }
    },
    stop: stopSlots,
    async observe(host, root, slots) {
      if (slots?.length === 0) {
        return []
      }
      const found = await survey(host, root, slots === undefined ? {} : { slots })
      const reports = found.slots.map(report)
      return slots === undefined
        ? reports
        : slots.map((slot) => reports.find((one) => sameSlot(one, slot)) ?? absent(slot))
    },
    inspect: inspectSlots,
    tail: tailLog,
    follow: followLogs,
    teardown: teardownPm2,
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

import { act } from '../../hosts/act.ts'
import type { OperationResult } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import { Refusal, problem } from '../../problem/problem.ts'
import type { Problem } from '../../problem/problem.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import type { SlotSpec } from '../runtime.ts'
import { pm2Calls } from './calls.ts'
import { scriptOperation } from './scripts.ts'
import { renderLauncher, renderSpec, slotFiles, specKey } from './slot-files.ts'
import { registered, sameSlot, slotClaim } from './stop.ts'
import { survey } from './survey.ts'
import type { Survey } from './survey.ts'

const OVERHEAD_MS = 60_000
const BEGIN_WITHIN_MS = 10_000

/** One caller's wish. */
export type StartRequest = readonly SlotSpec[]

/**
 * Starts the slots of several callers with one call of PM2. Gives for each caller the problem that kept all of its
 * slots from being started, or undefined.
 */
export async function startSlots(
  host: Host,
  fence: Fence,
  requests: readonly StartRequest[],
  program: string,
): Promise<readonly (Refusal | undefined)[]> {
  const all = requests.flat()
  const ports = all.map((spec) => spec.port).filter((port) => port !== undefined)
  const found = await survey(host, fence.root, { slots: all, ports })
  const refusals = requests.map((request) => takenPorts(host, fence.root, request, found))
  const wanted = requests.filter((_, index) => refusals[index] === undefined).flat()
  const missing = uniqueSlots(wanted.filter((spec) => !runsAlready(spec, found)))
  if (missing.length === 0) {
    return refusals
  }
  const results = await act(host, fence, startOperations(fence.root, program, missing, found), {
    label: `start ${missing.map((spec) => `${spec.service}.${spec.slot}`).join(', ')}`,
    claims: missing.map(slotClaim),
    timeoutMs: 2 * Math.max(0, ...found.slots.map((slot) => slot.spec.drainMs)) + OVERHEAD_MS,
  })
  const begun = results.at(-1)
  return requests.map((request, index) => refusals[index] ?? notBegun(host, fence.root, request, begun))
}

/**
 * What was in a slot ends first, marked with `stop`. The new launcher is laid over the old one while PM2 may still run
 * it, but it refuses as long as the mark is there. PM2 forgets the slot, the mark goes, and PM2 starts it. Cut off
 * anywhere, it is simply done again.
 */
function startOperations(
  root: string,
  program: string,
  specs: readonly SlotSpec[],
  found: Survey,
): readonly Operation[] {
  const held = found.slots
    .filter((slot) => !(slot.stop && !slot.registered) && specs.some((spec) => sameSlot(slot, spec)))
    .map((slot) => ({ ...slot, drainMs: slot.spec.drainMs }))
  const known = registered(held, found.slots)
  const files = specs.map((spec) => slotFiles(root, spec))
  return [
    ...files.map(({ folder }): Operation => ({ kind: 'folder', path: folder })),
    ...held.map((slot): Operation => ({
      kind: 'write',
      path: slotFiles(root, slot).stop,
      content: '',
      volatile: true,
    })),
    ...specs.flatMap((spec) => layOperations(root, spec)),
    ...pm2Calls({ root, program }, [
      ...(held.length === 0 ? [] : [{ verb: 'end', slots: held } as const]),
      ...(known.length === 0 ? [] : [{ verb: 'delete', slots: known } as const]),
      ...files.flatMap(({ starts, stop }) => [starts, stop].map((path) => ({ verb: 'remove', path }) as const)),
      { verb: 'start', slots: specs },
    ]),
    scriptOperation('begun', [String(BEGIN_WITHIN_MS), ...files.map(({ folder }) => folder)]),
  ]
}

/** Not synced: after a power cut nothing of a slot runs, and what runs next is laid again. */
function layOperations(root: string, spec: SlotSpec): readonly Operation[] {
  const files = slotFiles(root, spec)
  const variables = renderEnvironmentFile(Object.entries(spec.variables))
  return [
    { kind: 'write', path: files.variables, content: variables, mode: 0o600, volatile: true },
    { kind: 'write', path: files.spec, content: renderSpec(spec), volatile: true },
    { kind: 'write', path: files.run, content: renderLauncher(root, spec), volatile: true },
  ]
}

function runsAlready(spec: SlotSpec, found: Survey): boolean {
  return found.slots.some((slot) => sameSlot(slot, spec) && slot.alive && !slot.stop && slot.spec.key === specKey(spec))
}

/** Ports of the request that a process of no or another slot listens on, all of them at once. */
function takenPorts(host: Host, root: string, request: StartRequest, found: Survey): Refusal | undefined {
  const problems = request.flatMap((spec): Problem[] => {
    const holder = found.listeners.find((listener) => listener.port === spec.port)
    if (holder === undefined || holder.slotFolder === slotFiles(root, spec).folder) {
      return []
    }
    const who = holder.pid === undefined ? 'a process of another user' : `${holder.program} (pid ${holder.pid})`
    const place = holder.folder === '' ? '' : ` in ${holder.folder}`
    return [
      problem(
        'runtimes/port-taken',
        `host ${host.name}, ${spec.service}.${spec.slot}`,
        `port ${spec.port} is taken by ${who}${place}`,
        'End that process, or give the service another port in drover.yaml.',
      ),
    ]
  })
  return problems.length === 0 ? undefined : new Refusal(problems)
}

function notBegun(
  host: Host,
  root: string,
  request: StartRequest,
  begun: OperationResult | undefined,
): Refusal | undefined {
  const folders = (begun?.stdout ?? '').split('\n')
  const problems = request
    .filter((spec) => folders.includes(`not-begun ${slotFiles(root, spec).folder}`))
    .map((spec) =>
      problem(
        'runtimes/not-begun',
        `host ${host.name}, ${spec.service}.${spec.slot}`,
        `it was stopped meanwhile, or PM2 did not start it within ${BEGIN_WITHIN_MS / 1000} s`,
        `What does ${root}/pm2/pm2.log say?`,
      ),
    )
  return problems.length === 0 ? undefined : new Refusal(problems)
}

function uniqueSlots(specs: readonly SlotSpec[]): readonly SlotSpec[] {
  return specs.filter((spec, index) => {
    const first = specs.findIndex((other) => sameSlot(spec, other))
    const other = specs[first]
    if (other !== undefined && specKey(other) !== specKey(spec)) {
      throw new TypeError(`two different specs for ${spec.service}.${spec.slot} at the same time`)
    }
    return first === index
  })
}

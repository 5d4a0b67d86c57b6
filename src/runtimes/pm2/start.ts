import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import { Refusal, problem } from '../../problem/problem.ts'
import type { Problem } from '../../problem/problem.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { fileDigest, renderSpec, specKey, uniqueSlots } from '../laid-spec.ts'
import type { SlotSpec } from '../runtime.ts'
import { sameSlot, slotClaim, slotName } from '../slot-refs.ts'
import { endingArgv, pm2Call, replacingArgv } from './calls.ts'
import { scriptOperation } from './scripts.ts'
import { renderLauncher, slotFiles } from './slot-files.ts'
import { runsAsLaid, survey } from './survey.ts'
import type { Survey, SurveyedSlot } from './survey.ts'

const OVERHEAD_MS = 60_000
const BEGIN_WITHIN_MS = 10_000
const REPLACED_WITHIN_MS = 1_500

/** One caller's wish. */
export type StartRequest = readonly SlotSpec[]

/**
 * Starts the slots of several callers with at most one call of PM2. Gives for each caller the problem that kept all of
 * its slots from being started, or undefined.
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
  const replaced = missing.filter((spec) => isReplaceable(slotOf(spec, found)))
  const late = await begin({ host, fence, program, specs: missing, found, replaced })
  // PM2 has died, or takes its time after crashes of what was there before: then it is told.
  const again = replaced.filter((spec) => late.includes(spec))
  const never = again.length === 0 ? late : await begin({ host, fence, program, specs: again, found, replaced: [] })
  return requests.map((request, index) => refusals[index] ?? notBegun(host, fence.root, request, never))
}

interface Beginning {
  readonly host: Host
  readonly fence: Fence
  readonly program: string
  readonly specs: readonly SlotSpec[]
  readonly found: Survey
  /** Those of the specs whose slot is to be replaced by ending what runs there. */
  readonly replaced: readonly SlotSpec[]
}

/** Gives those that did not begin. */
async function begin(of: Beginning): Promise<readonly SlotSpec[]> {
  const { host, fence, specs, found } = of
  const results = await act(host, fence, startOperations(of), {
    label: `start ${specs.map(slotName).join(', ')}`,
    claims: specs.map(slotClaim),
    timeoutMs: 2 * Math.max(0, ...found.slots.map((slot) => slot.spec.drainMs)) + OVERHEAD_MS,
  })
  const said = (results.at(-1)?.stdout ?? '').split('\n')
  return specs.filter((spec) => said.includes(`not-begun ${slotFiles(fence.root, spec).folder}`))
}

/** What runs there under PM2: when it ends, PM2 runs the launcher that lies there by then, a moment later. */
function isReplaceable(slot: SurveyedSlot | undefined): boolean {
  return slot !== undefined && slot.alive && slot.registered && !slot.stop
}

/**
 * A slot in which something runs is laid anew and what ran there ended: PM2 starts it again by itself. Any other is ended
 * and marked with `stop`; where PM2 may still be about to start it, PM2 forgets it; it is laid, the mark goes, and one
 * call of PM2 starts all of these. Cut off anywhere, it is simply done again.
 */
function startOperations({ fence: { root }, program, specs, found, replaced }: Beginning): readonly Operation[] {
  const place = { root, program }
  const fresh = specs.filter((spec) => !replaced.includes(spec))
  const held = heldSlots(fresh, found)
  const known = held.filter((slot) => slot.registered && !slot.halted)
  const files = specs.map((spec) => slotFiles(root, spec))
  return [
    ...(held.length === 0 ? [] : [shell(endingArgv(root, held))]),
    ...(known.length === 0 ? [] : pm2Call(place, 'delete', known)),
    ...files.map(({ folder }): Operation => ({ kind: 'folder', path: folder })),
    ...specs.flatMap((spec) => layOperations(root, spec)),
    ...files.flatMap(({ starts, halted, stop }) =>
      [starts, halted, stop].map((path): Operation => ({ kind: 'remove', path })),
    ),
    ...(replaced.length === 0 ? [] : [shell(replacingArgv(root, withDrains(replaced, found)))]),
    ...(fresh.length === 0 ? [] : pm2Call(place, 'start', fresh)),
    scriptOperation(
      'begun',
      specs.flatMap((spec) => [
        slotFiles(root, spec).folder,
        String(replaced.includes(spec) ? REPLACED_WITHIN_MS : BEGIN_WITHIN_MS),
      ]),
    ),
  ]
}

function shell(argv: readonly string[]): Operation {
  return { kind: 'run', program: 'sh', argv }
}

type HeldSlot = SurveyedSlot & { readonly drainMs: number }

/** The slots of these specs in which something may run, or may be started by PM2. */
function heldSlots(specs: readonly SlotSpec[], found: Survey): readonly HeldSlot[] {
  return withDrains(specs, found).filter((slot) => !(slot.stop && (!slot.registered || slot.halted)))
}

/** The drain time is that of what is there, not of what comes. */
function withDrains(specs: readonly SlotSpec[], found: Survey): readonly HeldSlot[] {
  return found.slots
    .filter((slot) => specs.some((spec) => sameSlot(slot, spec)))
    .map((slot) => ({ ...slot, drainMs: slot.spec.drainMs }))
}

/** Not synced: after a power cut nothing of a slot runs, and what runs next is laid again. */
function layOperations(root: string, spec: SlotSpec): readonly Operation[] {
  const files = slotFiles(root, spec)
  const variables = renderEnvironmentFile(Object.entries(spec.variables))
  const launcher = renderLauncher(root, spec)
  const laid = renderSpec(spec, { run: fileDigest(launcher), env: fileDigest(variables) })
  return [
    { kind: 'write', path: files.variables, content: variables, mode: 0o600, volatile: true },
    { kind: 'write', path: files.spec, content: laid, volatile: true },
    { kind: 'write', path: files.run, content: launcher, volatile: true },
  ]
}

function runsAlready(spec: SlotSpec, found: Survey): boolean {
  const slot = slotOf(spec, found)
  return slot !== undefined && runsAsLaid(slot) && !slot.stop && slot.spec.key === specKey(spec)
}

function slotOf(spec: SlotSpec, found: Survey): SurveyedSlot | undefined {
  return found.slots.find((slot) => sameSlot(slot, spec))
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

function notBegun(host: Host, root: string, request: StartRequest, late: readonly SlotSpec[]): Refusal | undefined {
  const problems = request
    .filter((spec) => late.some((other) => sameSlot(spec, other)))
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

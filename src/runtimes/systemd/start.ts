import { act } from '../../hosts/act.ts'
import { explainHelper } from '../../hosts/drover-host/drover-host.ts'
import { slotUnit } from '../../hosts/drover-host/units.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import { Refusal, problem } from '../../problem/problem.ts'
import { fileDigest, renderSpec, specKey, uniqueSlots } from '../laid-spec.ts'
import type { SlotSpec } from '../runtime.ts'
import { drainTime, sameSlot, slotClaim, slotName } from '../slot-refs.ts'
import { takenPorts } from './ports.ts'
import { scriptOperation } from './scripts.ts'
import { renderLauncher, renderVariables, slotFiles } from './slot-files.ts'
import { instanceName } from './stop.ts'
import { runs, survey } from './survey.ts'
import type { Survey, SurveyedSlot } from './survey.ts'
import type { SystemdPlace } from './place.ts'
import { isAlive } from './unit-state.ts'
import { unitOperations } from './units.ts'

const OVERHEAD_MS = 60_000
const SHOWN_LINES = 5

/** One caller's wish. */
export type StartRequest = readonly SlotSpec[]

/**
 * Starts the slots of several callers together. Gives for each caller the problem that kept slots of its from being
 * started, or undefined.
 */
export async function startSlots(
  place: SystemdPlace,
  number: number,
  requests: readonly StartRequest[],
): Promise<readonly (Refusal | undefined)[]> {
  const { host } = place
  const all = requests.flat()
  const ports = all.map((spec) => spec.port).filter((port) => port !== undefined)
  const found = await survey(host, place, { slots: all, ports, templates: true })
  const refusals = await takenPorts(host, requests, found)
  const wanted = requests.filter((_, index) => refusals[index] === undefined).flat()
  const missing = uniqueSlots(wanted).filter((spec) => !runsAlready(spec, found))
  if (missing.length === 0) return refusals
  const trouble = await begin({ place, number, specs: missing, found })
  return requests.map((request, index) => refusals[index] ?? notBegun(place, request, trouble))
}

interface Beginning {
  readonly place: SystemdPlace
  readonly number: number
  readonly specs: readonly SlotSpec[]
  readonly found: Survey
}

/** Slots that systemd did not start, and what it said. */
interface Trouble {
  readonly slots: readonly SurveyedSlot[]
  readonly said: string
}

async function begin(beginning: Beginning): Promise<Trouble> {
  const { place, number, specs, found } = beginning
  const { host } = place
  const units = await unitOperations(place, specs, found)
  const drains = found.slots.map((slot) => ({ ...slot, drainMs: slot.spec?.drainMs ?? 0 }))
  const results = await act(host, fenceOf(place, number), startOperations(beginning, units), {
    label: `start ${specs.map(slotName).join(', ')}`,
    claims: specs.map(slotClaim),
    timeoutMs: 2 * drainTime(drains) + OVERHEAD_MS,
  }).catch((error: unknown) => {
    throw explainHelper(host.name, error)
  })
  const last = results.at(-1)
  if (last === undefined || last.exitCode === 0) return { slots: [], said: '' }
  // What exited at once was started all the same.
  const now = await survey(host, place, { slots: specs })
  const slots = now.slots.filter((slot) => !hasBegun(slot, found))
  return { slots, said: `${last.stderr.trim()}\n${await complaints(place, slots)}`.trim() }
}

/** What systemd wrote to the journal: `systemctl` only says that it did. */
async function complaints(place: SystemdPlace, slots: readonly SurveyedSlot[]): Promise<string> {
  const units = slots.map(({ service, slot }) => `UNIT=${slotUnit(place, service, slot)}`)
  const argv = ['--quiet', '--no-pager', '--output=cat', '--priority=warning', `--lines=${SHOWN_LINES}`, ...units]
  return slots.length === 0 ? '' : (await place.host.run({ program: 'journalctl', argv })).stdout.trim()
}

/**
 * Ends what runs in the slots and forbids its start, lays what is to run, and starts it. Cut off anywhere, it is simply
 * done again: nothing ever runs in a slot but what was started from the files that lie there.
 */
function startOperations({ place, specs, found }: Beginning, units: readonly Operation[]): readonly Operation[] {
  const { fleet, environment, root } = place
  const files = specs.map((spec) => slotFiles(root, spec))
  const cleared = specs.flatMap((spec) => [
    instanceName(spec),
    slotFiles(root, spec).folder,
    found.slots.some((slot) => sameSlot(slot, spec) && slot.unit.active !== 'inactive') ? '1' : '0',
  ])
  const begun = specs.flatMap((spec) => [instanceName(spec), slotFiles(root, spec).folder, spec.environmentFile])
  return [
    scriptOperation('clear', [fleet, environment, ...cleared]),
    ...files.map(({ folder }): Operation => ({ kind: 'folder', path: folder })),
    ...specs.flatMap((spec) => layOperations(root, spec)),
    ...units,
    { ...scriptOperation('begin', [fleet, environment, root, ...begun]), mayFail: true },
  ]
}

/** Not synced one by one: begin.sh syncs all of them together. What was cut off lacks the key, or its other half. */
function layOperations(root: string, spec: SlotSpec): readonly Operation[] {
  const files = slotFiles(root, spec)
  const variables = renderVariables(spec)
  const launcher = renderLauncher(root, spec)
  const laid = renderSpec(spec, { run: fileDigest(launcher), env: fileDigest(variables) })
  return [
    { kind: 'write', path: files.variables, content: variables, mode: 0o600, volatile: true, unread: true },
    { kind: 'write', path: files.spec, content: laid, volatile: true, unread: true },
    { kind: 'write', path: files.run, content: launcher, volatile: true, unread: true },
  ]
}

function runsAlready(spec: SlotSpec, found: Survey): boolean {
  return found.slots.some((slot) => sameSlot(slot, spec) && runs(slot, specKey(spec)))
}

/** It runs, or it ran and ended since. */
function hasBegun(slot: SurveyedSlot, before: Survey): boolean {
  const earlier = before.slots.find((one) => sameSlot(one, slot))?.unit.startedAt
  return isAlive(slot.unit) || (slot.unit.startedAt !== undefined && slot.unit.startedAt !== earlier)
}

function notBegun(place: SystemdPlace, request: StartRequest, { slots, said }: Trouble): Refusal | undefined {
  const problems = request
    .filter((spec) => slots.some((slot) => sameSlot(slot, spec)))
    .map((spec) =>
      problem(
        'runtimes/not-begun',
        `host ${place.host.name}, ${slotName(spec)}`,
        `systemd did not start it: ${said === '' ? 'it does not say why' : said}`,
        `What does \`systemctl status ${slotUnit(place, spec.service, spec.slot)}\` say there?`,
      ),
    )
  return problems.length === 0 ? undefined : new Refusal(problems)
}

function fenceOf({ root }: SystemdPlace, number: number): Fence {
  return { root, number }
}

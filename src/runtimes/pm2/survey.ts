import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import { readSpec } from '../laid-spec.ts'
import type { LaidSpec } from '../laid-spec.ts'
import type { Inspection, SlotRef, SlotReport, SlotState } from '../runtime.ts'
import { editedFiles, environmentsOf, readSums } from '../slot-sums.ts'
import { inspectArgv, scriptArgv } from './scripts.ts'
import { slotFiles } from './slot-files.ts'

/** A log may grow to this before its beginning is thrown away, at the next look at the host. */
const LARGEST_LOG_KIB = 20 * 1024

const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** What lies in a slot and what lives there. */
export interface SurveyedSlot extends SlotRef {
  readonly spec: LaidSpec
  /** It is meant to be stopped. */
  readonly stop: boolean
  /** PM2 may know it. */
  readonly registered: boolean
  /** PM2 will not start it again by itself, unless the mark has gone since. */
  readonly halted: boolean
  /** Its main process lives; children that outlived it do not count. */
  readonly alive: boolean
  /** How often its launcher ran since it was laid. */
  readonly starts: number
  /** The last start, milliseconds since the epoch. */
  readonly startedAt: number
  readonly pid: number
  /** The key of the spec that started last: another than the laid one's when who laid that was cut off. */
  readonly started: string
}

/** Something listens on a port. */
export interface Listener {
  readonly port: number
  /** undefined when the process belongs to a user whose processes cannot be read. */
  readonly pid: number | undefined
  readonly program: string
  /** The folder of the slot that it is a process of; empty for a stranger. */
  readonly slotFolder: string
  /** Its working folder, empty when unknown. */
  readonly folder: string
}

export interface Survey {
  readonly slots: readonly SurveyedSlot[]
  readonly listeners: readonly Listener[]
}

/** One look at a host: slots (all when none is named) and who listens on ports. */
export async function survey(
  host: Host,
  root: string,
  wanted: { readonly slots?: readonly SlotRef[]; readonly ports?: readonly number[] } = {},
): Promise<Survey> {
  const folders = (wanted.slots ?? []).map((slot) => slotFiles(root, slot).folder)
  const ports = (wanted.ports ?? []).join(' ')
  return readSurvey(await ask(host, root, scriptArgv('survey', [root, String(LARGEST_LOG_KIB), ports, ...folders])))
}

/** As a survey of all slots, and what of them is not as it was laid. */
export async function inspectSlots(host: Host, root: string): Promise<Inspection> {
  const text = await ask(host, root, inspectArgv(root, LARGEST_LOG_KIB))
  const { slots: surveyed } = readSurvey(text)
  const sums = readSums(text)
  const slots = surveyed.map(report)
  return {
    slots,
    environments: environmentsOf(root, slots, sums),
    findings: surveyed.flatMap((slot) => editedFiles(slot, slotFiles(root, slot), sums)),
  }
}

async function ask(host: Host, root: string, argv: readonly string[]): Promise<string> {
  const { ok, stdout, stderr, failure } = await host.run({ program: 'sh', argv }, { maxOutputBytes: MAX_ANSWER_BYTES })
  if (ok) return stdout
  throw refusal(
    'runtimes/survey',
    `host ${host.name}`,
    `cannot look at the slots below ${root} (${failure}): ${stderr.trim()}`,
    'Is the host under heavy load, and is /proc readable there?',
  )
}

/** Reads what survey.sh printed. A slot whose slot.json is torn, as after a power cut, was never laid. */
export function readSurvey(text: string): Survey {
  const lines = text.split('\n')
  const slots: SurveyedSlot[] = []
  const listeners: Listener[] = []
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? ''
    if (line.startsWith('slot ')) {
      index += 1
      const slot = readSlot(line, lines[index] ?? '')
      slots.push(...(slot === undefined ? [] : [slot]))
    } else if (line.startsWith('port ')) {
      listeners.push(readListener(line, lines[index + 1] ?? '', lines[index + 2] ?? ''))
      index += 2
    }
  }
  return { slots, listeners }
}

/** A slot as the port reports it. */
export function report(slot: SurveyedSlot): SlotReport {
  return {
    service: slot.service,
    slot: slot.slot,
    state: stateOf(slot),
    ...(slot.alive ? { pid: slot.pid } : {}),
    // Of what runs, not of what was to run and had no time to.
    ...(slot.alive && !runsAsLaid(slot)
      ? {}
      : { artifact: slot.spec.artifact, config: slot.spec.config, release: slot.spec.release }),
    ...(slot.spec.port === undefined ? {} : { port: slot.spec.port }),
    restarts: Math.max(0, slot.starts - 1),
    ...(slot.starts === 0 ? {} : { startedAt: slot.startedAt }),
  }
}

/** What lives in the slot was started from the spec that lies there. */
export function runsAsLaid(slot: SurveyedSlot): boolean {
  return slot.alive && slot.started === slot.spec.key
}

function stateOf(slot: SurveyedSlot): SlotState {
  if (slot.alive) {
    return 'running'
  }
  return slot.stop || slot.starts === 0 ? 'stopped' : 'crashed'
}

function readSlot(line: string, json: string): SurveyedSlot | undefined {
  const [, service = '', slot, stop, registered, halted, alive, starts, startedAt, pid, started] = line.split(' ')
  const spec = readSpec(json)
  if (spec === undefined || (slot !== 'a' && slot !== 'b')) {
    return undefined
  }
  return {
    service,
    slot,
    spec,
    stop: stop === '1',
    registered: registered === '1',
    halted: halted === '1',
    alive: alive === '1',
    starts: Number(starts),
    startedAt: Number(startedAt),
    pid: Number(pid),
    started: started ?? '',
  }
}

function readListener(line: string, slotFolder: string, folder: string): Listener {
  const [, port, pid, ...program] = line.split(' ')
  return {
    port: Number(port),
    pid: pid === '0' ? undefined : Number(pid),
    program: program.join(' '),
    slotFolder,
    folder,
  }
}

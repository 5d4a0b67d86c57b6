import type { Host } from '../../hosts/host.ts'
import { unitPrefix } from '../../hosts/drover-host/units.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import { refusal } from '../../problem/problem.ts'
import { readSpec } from '../laid-spec.ts'
import type { LaidSpec } from '../laid-spec.ts'
import type { SlotRef, SlotReport, SlotState } from '../runtime.ts'
import { scriptArgv } from './scripts.ts'
import { slotFiles } from './slot-files.ts'
import { NO_UNIT, isAlive, readUnits } from './unit-state.ts'
import type { UnitState } from './unit-state.ts'

const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** What lies in a slot and what systemd says of its unit. */
export interface SurveyedSlot extends SlotRef {
  /** undefined: nothing was laid, or a power cut tore it. */
  readonly spec: LaidSpec | undefined
  /** It is meant to run. */
  readonly wanted: boolean
  readonly unit: UnitState
}

export interface Survey {
  readonly slots: readonly SurveyedSlot[]
  /** Ports that something listens on. */
  readonly listening: readonly number[]
  /** Units were laid that systemd has not read. */
  readonly unread: boolean
  /** SHA-256 of unit files that are there, by path. */
  readonly templates: ReadonlyMap<string, string>
}

export interface SurveyWish {
  /** Absent: all there are. */
  readonly slots?: readonly SlotRef[]
  readonly ports?: readonly number[]
  /** Whether units are to be compared. */
  readonly templates?: boolean
}

/** One look at a host, in one round trip. */
export async function survey(
  host: Host,
  place: UnitOwner & { readonly root: string },
  wish: SurveyWish = {},
): Promise<Survey> {
  const folders = (wish.slots ?? []).map((slot) => slotFiles(place.root, slot).folder)
  const ports = (wish.ports ?? []).join(' ')
  const argv = [place.root, unitPrefix(place), wish.templates === true ? '1' : '0', ports, ...folders]
  const outcome = await host.run(
    { program: 'sh', argv: scriptArgv('survey', argv), summary: 'look at the slots' },
    { maxOutputBytes: MAX_ANSWER_BYTES },
  )
  if (!outcome.ok || !outcome.stdout.endsWith('\nsurveyed\n')) {
    throw refusal(
      'runtimes/survey',
      `host ${host.name}`,
      `cannot look at the slots below ${place.root} (${outcome.failure ?? 'its answer is not whole'}): ${outcome.stderr.trim()}`,
      'Is systemd at work there? See: systemctl status',
    )
  }
  return readSurvey(outcome.stdout)
}

/** Reads what survey.sh printed. */
export function readSurvey(text: string): Survey {
  const lines = text.split('\n')
  const units = readUnits(lines)
  const slots: SurveyedSlot[] = []
  const listening: number[] = []
  const templates = new Map<string, string>()
  let unread = false
  for (let index = 0; index < lines.length; index += 1) {
    const [word, first = '', second = '', third = '', fourth] = (lines[index] ?? '').split(' ')
    if (word === 'slot') {
      index += 1
      const unit = units.get(third) ?? NO_UNIT
      const spec = readSpec(lines[index] ?? '')
      if (second === 'a' || second === 'b') {
        slots.push({ service: first, slot: second, spec, wanted: fourth === '1', unit })
      }
    } else if (word === 'port') listening.push(Number(first))
    else if (word === 'reload') unread = true
    // A line of sha256sum: the digest, a blank, and a blank or a star before the file.
    else if (word === 'template') templates.set(third.replace(/^\*/, '') || second.replace(/^\*/, ''), first)
  }
  return { slots, listening, unread, templates }
}

/**
 * A slot as the port reports it; undefined when there is nothing to report. What a unit runs instead of what was laid, such
 * as by a drop-in, is unknown.
 */
export function report(slot: SurveyedSlot): SlotReport | undefined {
  const { service, slot: name, spec, unit } = slot
  if (spec === undefined && !isAlive(unit)) return undefined
  return {
    service,
    slot: name,
    state: stateOf(slot),
    ...(unit.pid === 0 ? {} : { pid: unit.pid }),
    ...(spec === undefined || !isLaid(slot)
      ? {}
      : { artifact: spec.artifact, config: spec.config, release: spec.release }),
    ...(spec?.port === undefined ? {} : { port: spec.port }),
    restarts: unit.restarts,
    ...(unit.startedAt === undefined ? {} : { startedAt: unit.startedAt }),
    ...(unit.memoryBytes === undefined ? {} : { memoryBytes: unit.memoryBytes }),
    ...(unit.cpuMs === undefined ? {} : { cpuMs: unit.cpuMs }),
  }
}

function isLaid({ service, slot, unit }: SurveyedSlot): boolean {
  return unit.command === undefined || unit.command.endsWith(`/slots/${service}/${slot}/run`)
}

/** The slot runs this very spec, and is meant to. */
export function runs(slot: SurveyedSlot, key: string): boolean {
  return slot.wanted && slot.unit.active === 'active' && slot.unit.pid !== 0 && slot.spec?.key === key
}

function stateOf({ wanted, unit }: SurveyedSlot): SlotState {
  if (isAlive(unit)) return 'running'
  return wanted ? 'crashed' : 'stopped'
}

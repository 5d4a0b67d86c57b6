import { HELPER_PATH, HELPER_SHA256, HELPER_VERSION, helperFailure } from '../../hosts/drover-host/drover-host.ts'
import { isSealed } from '../../hosts/drover-host/seal.ts'
import { UNIT_FOLDER, routerUnit, templateUnit, unitHeader, unitPrefix } from '../../hosts/drover-host/units.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Finding } from '../../hosts/finding.ts'
import { editedFiles } from '../slot-sums.ts'
import type { LaidSlot, Sums } from '../slot-sums.ts'
import { slotFiles } from './slot-files.ts'
import { instanceName } from './stop.ts'
import type { SurveyedSlot } from './survey.ts'
import { isAlive } from './unit-state.ts'

/** What a host told of the slots and units of an environment. */
export interface Inspected {
  readonly slots: readonly SurveyedSlot[]
  readonly sums: Sums
  /** Digest of the environment that root would be handed at the next start, for each slot that is wanted. */
  readonly handed: ReadonlyMap<string, string>
  /** Of those that root keeps, by the names of their files. */
  readonly kept: ReadonlyMap<string, string>
  /** What else root said. */
  readonly said: string
  /** Units that nothing starts at the next boot. */
  readonly unbooted: readonly string[]
  /** Of the helper that lies there; `version` 0: none. */
  readonly helper: { readonly sha256: string; readonly version: number }
  /** Texts of units whose names begin like those of the environment, by path. */
  readonly units: ReadonlyMap<string, string>
}

const ENVIRONMENTS = '/etc/drover/environments'

interface Place extends UnitOwner {
  readonly root: string
}

/** Everything that is not as it was laid; pure. */
export function findingsOf(place: Place, inspected: Inspected): Finding[] {
  const used = inspected.slots.filter(isUsed)
  const services = Map.groupBy(used, ({ service }) => service)
  const units = [...services].flatMap(([service, slots]) => unitFindings(place, inspected, { service, slots }))
  const gone = new Set(units.filter(({ kind }) => kind === 'unit-missing').map(({ service }) => service))
  return [
    ...units,
    ...used.flatMap((slot) => slotFindings(place, inspected, slot)).filter(isToldBesides),
    ...bootFindings(place, inspected).filter(isToldBesides),
    ...strangers(place, inspected, used),
    ...rootFindings(inspected),
  ]

  /** Without a unit there is nothing to boot, and root keeps no environment for it. */
  function isToldBesides({ kind, service }: Finding): boolean {
    return !gone.has(service) || service === undefined || kind === 'slot-edited'
  }
}

function isUsed(slot: SurveyedSlot): slot is SurveyedSlot & LaidSlot {
  return slot.spec !== undefined && (slot.wanted || isAlive(slot.unit))
}

interface ServiceSlots {
  readonly service: string
  readonly slots: readonly SurveyedSlot[]
}

function unitFindings(place: Place, { units }: Inspected, { service, slots }: ServiceSlots): Finding[] {
  const path = `${UNIT_FOLDER}/${templateUnit(place, service)}`
  const text = units.get(path)
  const found = (kind: Finding['kind'], what: string): Finding => ({ kind, service, what, path, mend: 'release' })
  const overrides = new Set(slots.flatMap((slot) => overridesOf(slot, path)))
  return [
    ...(text === undefined ? [found('unit-missing', 'its unit is gone')] : []),
    ...(text === undefined || !text.startsWith(`${unitHeader(place)}\n`) || isSealed(text)
      ? []
      : [found('unit-edited', 'its unit was edited')]),
    ...(text !== undefined && isSealed(text) && slots.some(({ unit }) => unit.unread)
      ? [found('unit-unread', 'systemd has not read its unit as it lies there')]
      : []),
    ...[...overrides].map((file) => overridden(service, file)),
  ]
}

/** Files that say something else of a slot than its template; those that are for all services of the host do not count. */
function overridesOf({ unit }: SurveyedSlot, template: string): string[] {
  const fragments = unit.fragment === '' || unit.fragment === template ? [] : [unit.fragment]
  return [...fragments, ...unit.dropIns.filter((file) => !/\/service\.d\/[^/]*$/.test(file))]
}

function overridden(service: string, path: string): Finding {
  const hint = `Nothing of Drover's takes it away. Is it meant to stay? Else: rm ${path} && systemctl daemon-reload, and restart the service by a release.`
  return { kind: 'unit-override', service, what: 'its unit is overridden', path, mend: 'hand', hint }
}

function slotFindings(place: Place, inspected: Inspected, slot: LaidSlot & SurveyedSlot): Finding[] {
  const { service, slot: name, unit, wanted } = slot
  const found = { service, slot: name, mend: 'release' } as const
  const isForgotten = !wanted && unit.active === 'active'
  return [
    ...editedFiles(slot, slotFiles(place.root, slot), inspected.sums),
    ...environmentFindings(place, inspected, slot),
    ...(isForgotten ? [{ ...found, kind: 'boot', what: UNBOOTED } as const] : []),
  ]
}

const UNBOOTED = 'it would not come back after a reboot'

/** What root keeps is what systemd starts the slot with after a crash and after a reboot. */
function environmentFindings(place: Place, { handed, kept, said }: Inspected, slot: LaidSlot): Finding[] {
  const { service, slot: name } = slot
  const expected = handed.get(instanceName(slot))
  if (expected === undefined || said !== '') return []
  const file = `${unitPrefix(place)}-${instanceName(slot)}.env`
  const found = kept.get(file)
  if (found === expected) return []
  const what = found === undefined ? 'the environment that systemd starts it with is gone' : UNLIKE
  const path = `${ENVIRONMENTS}/${file}`
  return [{ kind: 'environment', service, slot: name, what, path, mend: 'release' }]
}

const UNLIKE = 'the environment that systemd starts it with is not the one that was laid'

function bootFindings(place: Place, { unbooted }: Inspected): Finding[] {
  const prefix = unitPrefix(place)
  return unbooted.map((unit): Finding => {
    const path = `${UNIT_FOLDER}/${unit === `${prefix}.target` ? 'multi-user' : prefix}.target.wants/${unit}`
    const found = { kind: 'boot', path, mend: 'release' } as const
    if (unit === `${prefix}.target`) return { ...found, what: 'nothing of it would come back after a reboot' }
    if (unit === routerUnit(place)) return { ...found, what: 'the router would not come back after a reboot' }
    const [service = '', slot] = unit.slice(prefix.length + 1, -'.service'.length).split('@')
    const name: Pick<Finding, 'slot'> = slot === 'a' || slot === 'b' ? { slot } : {}
    return { ...found, service, ...name, what: UNBOOTED }
  })
}

/** Units that Drover did not make, for any environment: names alone do not tell whose one is. */
function strangers(place: Place, { units }: Inspected, used: readonly SurveyedSlot[]): Finding[] {
  const known = new Set(used.map(({ service }) => `${UNIT_FOLDER}/${templateUnit(place, service)}`))
  const told = new Set(used.flatMap((slot) => overridesOf(slot, '')))
  return [...units]
    .filter(([path, text]) => !text.startsWith('# Written by Drover for ') && (known.has(path) || !told.has(path)))
    .map(([path]): Finding => {
      const what = `a unit that Drover did not make bears a name of ${place.fleet}/${place.environment}`
      const hint = known.has(path)
        ? `It stands in the place of one of Drover's: remove it, and the next release lays that again.`
        : 'Rename it, or remove it when nobody needs it any more.'
      return { kind: 'unit-foreign', what, path, mend: 'hand', hint }
    })
}

function rootFindings({ helper, said }: Inspected): Finding[] {
  const isOther = helper.sha256 !== HELPER_SHA256 && helper.version <= HELPER_VERSION
  const failure = said === '' ? undefined : helperFailure('', said)?.problems[0]
  const isHelper = failure?.code === 'hosts/helper-old' || failure?.code === 'hosts/no-helper'
  // A unit of somebody else in the place of one of ours is a finding of its own.
  const isTold = failure?.code === 'hosts/foreign-unit' || (isOther && isHelper)
  return [
    ...(isOther ? [helperFinding(helper.version)] : []),
    ...(said === '' || isTold ? [] : [{ kind: 'sudo', what: failure?.what ?? said, mend: 'bootstrap' } as const]),
  ]
}

function helperFinding(version: number): Finding {
  const what =
    version === 0
      ? 'the helper is gone'
      : version === HELPER_VERSION
        ? 'the helper was edited'
        : `the helper is of version ${version}, and this Drover has ${HELPER_VERSION}`
  return { kind: 'helper', what, path: HELPER_PATH, mend: 'bootstrap' }
}

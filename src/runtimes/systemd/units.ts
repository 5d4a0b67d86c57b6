import { createHash } from 'node:crypto'
import { UNIT_FOLDER, templateUnit, unitStream } from '../../hosts/helper/units.ts'
import type { UnitOwner } from '../../hosts/helper/units.ts'
import type { Operation } from '../../hosts/operation.ts'
import type { SlotSpec } from '../runtime.ts'
import { scriptOperation } from './scripts.ts'
import type { Survey } from './survey.ts'
import { renderUnit } from './unit.ts'

/**
 * Lays the units of these specs, where they are not on the host already: an ordinary release changes none, and systemd
 * need not read them anew, which takes a quarter of a second.
 */
export function unitOperations(
  place: UnitOwner & { readonly root: string },
  specs: readonly SlotSpec[],
  found: Survey,
): readonly Operation[] {
  const units = new Map(
    specs.map((spec) => [templateUnit(place, spec.service), renderUnit({ ...place, systemd: found.systemd }, spec)]),
  )
  const differing = [...units].filter(([name, text]) => found.templates.get(`${UNIT_FOLDER}/${name}`) !== sha256(text))
  const laid = found.unread ? [...units] : differing
  if (laid.length === 0) return []
  const texts = laid.map((unit) => unitStream(new Map([unit])))
  return [scriptOperation('lay-units', [place.fleet, place.environment, place.root, ...texts])]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

import { createHash } from 'node:crypto'
import { UNIT_FOLDER, templateUnit, unitStream } from '../../hosts/drover-host/units.ts'
import type { Operation } from '../../hosts/operation.ts'
import { refusal } from '../../problem/problem.ts'
import type { SlotSpec } from '../runtime.ts'
import type { SystemdPlace } from './place.ts'
import { scriptOperation } from './scripts.ts'
import type { Survey } from './survey.ts'
import { GROWING_PAUSE, renderUnit } from './unit.ts'

/**
 * Lays the units of these specs where others are on the host: an ordinary release changes none, and systemd need not
 * read them anew, which takes a quarter of a second.
 */
export async function unitOperations(
  place: SystemdPlace,
  specs: readonly SlotSpec[],
  found: Survey,
): Promise<readonly Operation[]> {
  const differing = specs.filter((spec) => !isLaid(place, spec, found))
  const isUnread = found.unread || found.slots.some(({ unit }) => unit.unread)
  const wanted = isUnread ? specs : differing
  if (wanted.length === 0) return []
  const systemd = await systemdVersion(place)
  const units = new Map(
    wanted.map((spec) => [templateUnit(place, spec.service), renderUnit({ ...place, systemd }, spec)]),
  )
  const { fleet, environment, root } = place
  // Each a word of its own: one word must not be longer than 128 KiB.
  const texts = [...units].map((unit) => unitStream(new Map([unit])))
  return [scriptOperation('lay-units', [fleet, environment, root, ...texts])]
}

/** Which of its texts depends on the host's systemd, which need not be asked when one of them is there. */
function isLaid(place: SystemdPlace, spec: SlotSpec, found: Survey): boolean {
  const laid = found.templates.get(`${UNIT_FOLDER}/${templateUnit(place, spec.service)}`)
  return [GROWING_PAUSE - 1, GROWING_PAUSE].some((systemd) => laid === sha256(renderUnit({ ...place, systemd }, spec)))
}

async function systemdVersion({ host }: SystemdPlace): Promise<number> {
  const { stdout } = await host.run({ program: 'systemctl', argv: ['--version'] })
  const version = Number(/^systemd (\d+)/.exec(stdout)?.[1])
  if (Number.isNaN(version)) {
    const hint = 'Choose another runtime for this environment in drover.yaml, such as pm2.'
    throw refusal('runtimes/no-systemd', `host ${host.name}`, 'it does not tell the version of its systemd', hint)
  }
  return version
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

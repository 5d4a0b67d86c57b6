/** An environment of a fleet, for the names of its units on a host. */
export interface UnitOwner {
  readonly fleet: string
  readonly environment: string
}

/** Where the helper lays units. */
export const UNIT_FOLDER = '/etc/systemd/system'

/** The template of a service; its instances are `a` and `b`. */
export function templateUnit(owner: UnitOwner, service: string): string {
  return `${unitPrefix(owner)}-${service}@.service`
}

/** The unit of one slot. */
export function slotUnit(owner: UnitOwner, service: string, slot: string): string {
  return `${unitPrefix(owner)}-${service}@${slot}.service`
}

/** The nginx of an environment. */
export function routerUnit(owner: UnitOwner): string {
  return `${unitPrefix(owner)}-router.service`
}

/**
 * The first line of every unit that Drover lays. The helper takes a unit without exactly this line for somebody else's:
 * names alone do not tell `a-b` of fleet `c` from `b` of fleet `c-a`.
 */
export function unitHeader({ fleet, environment }: UnitOwner): string {
  return `# Written by Drover for ${fleet}/${environment}.`
}

/** The stdin of `drover-host units`. */
export function unitStream(units: ReadonlyMap<string, string>): string {
  return [...units].map(([name, text]) => `=== ${name}\n${text}`).join('')
}

/** Begins the name of every unit of an environment. */
export function unitPrefix({ fleet, environment }: UnitOwner): string {
  return `${fleet}-${environment}`
}

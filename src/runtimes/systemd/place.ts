import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'

/** One environment on one host. */
export interface SystemdPlace extends UnitOwner {
  readonly host: Host
  readonly root: string
}

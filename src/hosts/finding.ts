import type { SlotName } from '../manifest/fleet.ts'

/**
 * `slot-down`: what is live does not run. `slot-other`: it runs another version. `slot-stray`: it runs, and nobody has
 * declared it. `slot-edited`: the files from which it is started. `boot`: it does not come back after a reboot.
 * `unit-override`: by a drop-in, or a unit of the instance. `unit-unread`: by systemd. `sudo`, `helper`: how root acts.
 */
export type FindingKind =
  | 'slot-down'
  | 'slot-other'
  | 'slot-stray'
  | 'slot-edited'
  | 'artifact'
  | 'environment'
  | 'unit-edited'
  | 'unit-missing'
  | 'unit-override'
  | 'unit-unread'
  | 'unit-foreign'
  | 'boot'
  | 'router-down'
  | 'router-edited'
  | 'router-set'
  | 'helper'
  | 'sudo'

/** Something on a host that is not as Drover laid it, or that Drover did not lay. */
export interface Finding {
  readonly kind: FindingKind
  /** Absent: it is of the whole host. */
  readonly service?: string
  readonly slot?: SlotName
  /** In a few words, which may follow the name of the service: `its unit was edited`. */
  readonly what: string
  /** Where it is on the host. */
  readonly path?: string
  /** What puts it right: a release or a heal, a bootstrap of the host, or a person. */
  readonly mend: 'release' | 'bootstrap' | 'hand'
  /** What that person does; with `hand` only. */
  readonly hint?: string
}

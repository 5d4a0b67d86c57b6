import { act } from '../../hosts/act.ts'
import type { OperationResult } from '../../hosts/act.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'

/** The nginx of one environment on one host, and the right to change it. */
export interface Instance {
  readonly host: Host
  readonly fence: Fence
  /** Name or path of the nginx program on the host. */
  readonly program: string
  readonly rotateAtBytes: number
  readonly closingMs: number
  /** Names the unit where systemd runs nginx; without one it runs by itself. */
  readonly owner: UnitOwner | undefined
}

/**
 * Changes the router of a host. One change at a time: the commands of a Drover that was killed end before the same
 * commands are repeated. `label` says in errors what it is for.
 */
export function change(
  { host, fence }: Instance,
  operations: readonly Operation[],
  label: string,
): Promise<readonly OperationResult[]> {
  return act(host, fence, operations, { label, claims: ['router'] })
}

/** A script as an operation; `argv` are its `$1`, `$2` and so on. */
export function script(text: string, argv: readonly string[]): Operation & { readonly kind: 'run' } {
  return { kind: 'run', program: 'sh', argv: ['-c', text, 'sh', ...argv] }
}

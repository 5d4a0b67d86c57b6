import type { Finding } from '../hosts/finding.ts'
import type { Fence } from '../hosts/operation.ts'
import type { Host } from '../hosts/host.ts'
import type { Limits, SlotName } from '../manifest/fleet.ts'
import type { Secret } from '../secrets/secret.ts'

export interface SlotRef {
  readonly service: string
  readonly slot: SlotName
}

/** What runs in a slot. `artifact` and `config` are content names: two equal specs are the same program. */
export interface SlotSpec extends SlotRef {
  readonly artifact: string
  readonly config: string
  /** Shell command line, run by `sh -c 'exec …'` in `cwd`. */
  readonly start: string
  /** Absolute, inside the artifact's folder on the host. */
  readonly cwd: string
  /** Absolute path on the host of the 0600 environment file that the slot reads at start. */
  readonly environmentFile: string
  /** Variables of this very slot (PORT, DROVER_SLOT, DROVER_SET, …), set after the file's and winning over them. */
  readonly variables: Readonly<Record<string, string | Secret>>
  /** The slot's own port; absent for a worker. */
  readonly port?: number
  readonly drainMs: number
  /** Kept where the runtime is capable of it. */
  readonly limits?: Limits
  /** The release that put it here. */
  readonly release: number
  /** A service that exits is started again while it is live; a singleton too. */
  readonly restart: boolean
}

/**
 * `crashed`: it ended by itself and will be started again, or was given up. Once it runs again it is `running`, with
 * `restarts` counted. `running` as well while it still ends.
 */
export type SlotState = 'absent' | 'stopped' | 'running' | 'crashed'

/** What a host says of a slot. Read from the processes, not from Drover's records. */
export interface SlotReport extends SlotRef {
  readonly state: SlotState
  readonly pid?: number
  readonly artifact?: string
  readonly config?: string
  readonly release?: number
  readonly port?: number
  /** How often it was started again since Drover started it. */
  readonly restarts: number
  /** Milliseconds since the epoch. */
  readonly startedAt?: number
  /** What the slot uses now, children included, where the runtime knows it. */
  readonly memoryBytes?: number
  /** Processor time since it was started last. */
  readonly cpuMs?: number
}

export interface Inspection {
  readonly slots: readonly SlotReport[]
  /** SHA-256, in hex, of the environment file of a slot's configuration, by `<service>.<slot>`, where there is one. */
  readonly environments: ReadonlyMap<string, string>
  /** Of slots and units, whoever has declared them. */
  readonly findings: readonly Finding[]
}

export interface RuntimeCapabilities {
  /** Brings the live set back after a reboot of the host without Drover. */
  readonly survivesReboot: boolean
  /** Can hold a service to memory and CPU limits. */
  readonly limits: boolean
}

/**
 * How a slot runs on a host. A driver promises: every method is idempotent; `start` of a spec that runs already does
 * nothing; `start` of a slot that holds another spec stops that first; `stop` returns once the processes, children
 * included, are gone (SIGTERM, then SIGKILL after the drain time); nothing here waits for readiness. A call costs the
 * same few round trips for one slot as for all. Concurrent calls on one host may be merged by the driver.
 */
export interface Runtime {
  readonly name: string
  readonly capabilities: RuntimeCapabilities
  /** Makes the host able to start slots; a Refusal names what is missing and how to get it. */
  prepare(host: Host, fence: Fence): Promise<void>
  start(host: Host, fence: Fence, slots: readonly SlotSpec[]): Promise<void>
  stop(host: Host, fence: Fence, slots: readonly (SlotRef & { readonly drainMs: number })[]): Promise<void>
  /** Every slot that exists on the host, or only those asked for (an absent one is reported as absent). */
  observe(host: Host, root: string, slots?: readonly SlotRef[]): Promise<SlotReport[]>
  /** As `observe` of every slot, and what is not as the runtime has laid it. Absent: it cannot tell. */
  inspect?(host: Host, root: string): Promise<Inspection>
  /** Last `lines` lines of a slot, stdout and stderr together, oldest first. */
  tail(host: Host, root: string, slot: SlotRef, lines: number): Promise<string[]>
  /** Follows slots until the signal aborts. */
  follow(
    host: Host,
    root: string,
    slots: readonly SlotRef[],
    options: { lines: number; signal: AbortSignal; onLine: (slot: SlotRef, line: string) => void },
  ): Promise<void>
  /** Stops everything of this environment and removes what the runtime itself keeps; artifacts stay. */
  teardown(host: Host, fence: Fence): Promise<void>
}

/** Values of an environment file, in the order to be written. */
export type SlotVariables = readonly (readonly [name: string, value: string | Secret])[]

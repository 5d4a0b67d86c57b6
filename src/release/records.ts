import type { Problem } from '../problem/problem.ts'
import type { Artifact } from '../build/artifact.ts'
import type { DiskSpace } from '../hosts/disk.ts'
import type { Environment, HostDefinition, PlacedService, Store } from '../manifest/fleet.ts'
import type { RouteSet } from '../routers/router.ts'
import type { SlotReport } from '../runtimes/runtime.ts'
import type { Plan } from './plan.ts'

/** An environment of a fleet: what a release belongs to and what is released one at a time. */
export interface EnvironmentRef {
  readonly fleet: string
  readonly environment: string
}

export interface ReleaseRef extends EnvironmentRef {
  readonly number: number
}

/** What a person or a machine asked for. `without`: names of hosts that are left as they are, because they are away. */
export type Order =
  | {
      readonly goal: 'deploy'
      /** Absolute path or URL of a git repository. */
      readonly repository: string
      /** Branch, tag or commit; absent means the environment's branch. */
      readonly ref?: string
      readonly without?: readonly string[]
    }
  | {
      readonly goal: 'rollback'
      /** The release to go back to; absent means the last kept one before the live one. */
      readonly to?: number
      /** Only this service; the rest of the set stays, and the result is shown as a deviation. */
      readonly service?: string
      readonly without?: readonly string[]
    }
  | {
      /** Brings one host to what is live on the others. */
      readonly goal: 'heal'
      readonly host: string
    }

export interface Request {
  readonly order: Order
  readonly actor: string
  readonly reason?: string
  /** Hash of a plan that was shown before; the release is refused when the plan has become another. */
  readonly expectedPlan?: string
}

/** The story's steps, in order. A release is in exactly one; `undo` replaces what would have followed. */
export const PHASES = [
  'queued',
  'source',
  'build',
  'plan',
  'gate',
  'stage',
  'migrate',
  'start',
  'switch',
  'verify',
  'keep',
  'undo',
  'ended',
] as const
export type Phase = (typeof PHASES)[number]

/**
 * How a release ended. `kept`: live and verified. `unchanged`: nothing differed, nothing was touched. `refused`: declined before
 * anything changed. `restored`: it failed, and the set from before is live. `cancelled`: a person stopped it, and the
 * set from before is live. `broken`: it failed and the set from before could not be proven live; hands are needed.
 */
export type ReleaseOutcome = 'kept' | 'unchanged' | 'refused' | 'restored' | 'cancelled' | 'broken'

export interface Release extends ReleaseRef {
  readonly goal: Order['goal']
  readonly phase: Phase
  readonly outcome?: ReleaseOutcome
  /** Live at this moment: requests are answered by this release's set. */
  readonly live: boolean
  readonly actor: string
  readonly reason?: string
  readonly repository: string
  readonly branch?: string
  readonly commit?: string
  readonly subject?: string
  /** For a rollback of the whole set: the release whose set is wanted. */
  readonly to?: number
  /** Hosts that were left out on purpose. */
  readonly without?: readonly string[]
  /** Of a heal: the host that is brought to what is live. */
  readonly host?: string
  /** Milliseconds since the epoch, as are all times here. */
  readonly requestedAt: number
  readonly startedAt?: number
  /** When the switch had moved the traffic. */
  readonly switchedAt?: number
  readonly endedAt?: number
  readonly plan?: Plan
  readonly set?: ReleaseSet
  /** Why it was refused, failed or was broken. */
  readonly problems: readonly Problem[]
  /** Requests that the router answered from the start of the release to its end. */
  readonly traffic?: { readonly requests: number; readonly failed: number; readonly rescued: number }
  /** Services that run another version than the release's own commit says, after a service rollback. */
  readonly deviations: readonly { readonly service: string; readonly release: number }[]
}

/** The versions of all services of a release; enough to start every one of them again. */
export type ReleaseSet = Readonly<Record<string, SetMember>>

export interface SetMember {
  readonly artifact: Artifact
  /** How it is to be run: the manifest's word at the time, ports and variables of the environment included. */
  readonly definition: PlacedService
  /** Content name of variables, start command and slot settings. */
  readonly config: string
  /** The release that built or configured this version. */
  readonly release: number
}

/** The fleet as one environment has it: ports, variables and policy of that environment filled in. */
export interface Blueprint {
  readonly environment: Environment
  /** Those of the environment, in its order. */
  readonly hosts: readonly EnvironmentHost[]
  readonly services: readonly PlacedService[]
  readonly stores: readonly Store[]
  readonly shared: readonly string[]
}

export interface EnvironmentHost extends HostDefinition {
  /**
   * The environment's folder on this host: where its first release there laid it, unless the manifest says another. Absent
   * in the oldest records: the default.
   */
  readonly root?: string
}

/**
 * A host that may not run what is live: it was left out of a release, or lost in the middle of one. Other hosts send it
 * nothing until it has been brought to what is live.
 */
export interface HostMark {
  readonly host: string
  /** The first release that it did not take part in to the end. */
  readonly since: number
  readonly why: string
  /** It runs what is live, so others send to it; what a release laid or started beside that may be left over there. */
  readonly untidy?: boolean
  /** How often Drover itself has tried to heal it, and when it did last. */
  readonly tries: number
  readonly triedAt?: number
}

/** What each host reported when the plan was made: where an undo goes back to. */
export type Before = Readonly<Record<string, HostBefore>>

export interface HostBefore {
  readonly live?: RouteSet
  readonly slots: readonly SlotReport[]
  /** Room on the disk of the environment's folder, where it could be measured. */
  readonly disk?: DiskSpace
}

/** Something that happened in a release, in order; the live view and the log are made of these. */
export interface ReleaseEvent extends ReleaseRef {
  /** Grows over all events of the control plane; usable as Last-Event-ID. */
  readonly id: number
  readonly at: number
  readonly body: EventBody
}

export type EventBody =
  | { readonly kind: 'phase'; readonly phase: Phase; readonly detail?: string }
  /** A service's own progress. `state` is what it does now. */
  | {
      readonly kind: 'service'
      readonly service: string
      readonly host?: string
      readonly state: ServiceState
      readonly detail?: string
      /** How long the state that just ended took. */
      readonly ms?: number
    }
  | {
      readonly kind: 'plan'
      readonly hash: string
      readonly counts: Readonly<Record<'add' | 'change' | 'remove' | 'same', number>>
      readonly services: readonly { service: string; change: string; reasons: readonly string[] }[]
    }
  /** `waiting`: another release of the environment holds it. */
  | { readonly kind: 'waiting'; readonly for: number; readonly actor: string; readonly since: number }
  | { readonly kind: 'output'; readonly service: string; readonly line: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'resumed'; readonly worker: string }
  | { readonly kind: 'switched'; readonly host: string; readonly services: number; readonly ms: number }
  | {
      readonly kind: 'watch'
      readonly requests: number
      readonly failed: number
      readonly rescued: number
      readonly remainingMs: number
    }
  | {
      readonly kind: 'ended'
      readonly outcome: ReleaseOutcome
      readonly problems: readonly Problem[]
      readonly traffic?: Release['traffic']
      readonly ms: number
    }

export type ServiceState =
  | 'building'
  | 'built'
  | 'reused'
  | 'staged'
  | 'migrating'
  | 'migrated'
  | 'starting'
  | 'ready'
  | 'warm'
  | 'live'
  | 'held'
  | 'stopped'
  | 'failed'

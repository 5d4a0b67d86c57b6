import type { SlotReport } from '../runtimes/runtime.ts'
import type { DriftFinding, EnvironmentDrift } from './environment-drift.ts'
import type { EnvironmentRef, Release, ReleaseEvent, ReleaseRef, Request } from './records.ts'
import type { Plan } from './plan.ts'

/** What the HTTP API offers is what this offers; the server only translates. Every method throws a Refusal when it declines. */
export interface ControlPlane {
  /** A plan without side effects; an artifact that would have to be built is shown as such. */
  plan(environment: EnvironmentRef, request: Request): Promise<Plan>
  /** Records the release and queues it; returns at once. */
  request(environment: EnvironmentRef, request: Request): Promise<Release>
  /** Asks a release to stop and go back; says in which phase it was asked. A release that has ended is refused. */
  cancel(release: ReleaseRef, actor: string): Promise<Release>
  release(release: ReleaseRef): Promise<Release>
  /** Newest first. */
  releases(environment: EnvironmentRef, options: { limit: number; before?: number }): Promise<Release[]>
  /** Everything after `afterId`, then live, until the release has ended or the signal aborts. */
  events(release: ReleaseRef, options: { afterId?: number; signal: AbortSignal }): AsyncIterable<ReleaseEvent>
  status(environment: EnvironmentRef): Promise<EnvironmentStatus>
  /** How its hosts differ from what was declared; with `deep` every file of what is live is read. */
  drift(environment: EnvironmentRef, options: { deep: boolean }): Promise<EnvironmentDrift>
  environments(): Promise<EnvironmentRef[]>
  /** Lines of the live slots (or all slots) of some or all services. */
  logs(environment: EnvironmentRef, options: LogOptions): AsyncIterable<LogLine | LogNotice>
  /** Stops every slot and the router of the environment; artifacts and records stay. */
  teardown(environment: EnvironmentRef, actor: string): Promise<void>
}

export interface LogOptions {
  readonly services?: readonly string[]
  readonly lines: number
  readonly follow: boolean
  readonly signal: AbortSignal
}

export interface LogLine {
  readonly host: string
  readonly service: string
  readonly slot: 'a' | 'b'
  readonly line: string
}

/** What keeps the lines of a host from coming, or that they come again. */
export interface LogNotice {
  readonly host: string
  readonly notice: string
}

export interface EnvironmentStatus extends EnvironmentRef {
  /** The release that is live, by what the hosts say. */
  readonly live?: Release
  /** The release under way, if any. */
  readonly active?: Release
  readonly services: readonly ServiceStatus[]
  readonly hosts: readonly {
    readonly host: string
    readonly reachable: boolean
    readonly router: 'running' | 'stopped'
    readonly problem?: string
    /** The release whose set is live there: the live one, or one that healed the host. */
    readonly release?: number
    /** It may not run what is live since that release; other hosts send it nothing until it is healed. */
    readonly behind?: { readonly since: number; readonly why: string }
    /** What is not as it was declared; absent while a release is under way, and where nothing can be told. */
    readonly drift?: readonly DriftFinding[]
  }[]
}

export interface ServiceStatus {
  readonly service: string
  readonly host: string
  readonly port?: number
  /** `ready`: its live slot runs and answers its readiness path. */
  readonly state: 'ready' | 'not-ready' | 'crashed' | 'stopped' | 'absent'
  readonly slot?: SlotReport
  /** The other slot still runs: going back needs no start. */
  readonly warm: boolean
  readonly artifact?: string
  /** The release that built or configured the version; absent when it is not the one of the live release. */
  readonly release?: number
  /** It runs another version than was released. */
  readonly differs?: boolean
  /** The running version is not the one the live release's commit says. */
  readonly deviation?: { readonly release: number }
}

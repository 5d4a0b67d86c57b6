import type { Item } from '../hosts/bootstrap/item.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import type { Problem } from '../problem/problem.ts'

/**
 * What the HTTP API offers for looking after hosts, beside the releases of {@link ControlPlane}. Hosts are told by who
 * asks, from the manifest of a working tree: they are often added before anything is committed.
 */
export interface HostOperations {
  /** Looks at a host; one that cannot be reached is reported as such. Changes nothing. */
  look(host: DeclaredHost, options: LookOptions): Promise<HostReport>
  /** What bootstrap would do to a host. Changes nothing. */
  plan(order: BootstrapOrder): Promise<BootstrapPlan>
  /**
   * Makes a host ready, and logs in as its deploy user to see that it is. Throws a Refusal when something stands in the
   * way, when the plan is no longer the one that was agreed to, and when an item fails; it may be repeated any time.
   */
  bootstrap(order: BootstrapOrder, signal: AbortSignal): AsyncIterable<BootstrapEvent>
}

export interface LookOptions {
  /** Log in as somebody else than the manifest says: a user, or user@address. */
  readonly as?: string
  /** Become root for a full look, where whoever logs in may. Implied by `as`. */
  readonly asRoot?: boolean
}

export interface HostReport {
  readonly name: string
  /** Absent for the machine that Drover runs on. */
  readonly destination?: string
  readonly labels: readonly string[]
  readonly environments: readonly string[]
  readonly reachable: boolean
  /** Why it cannot be reached. */
  readonly problems: readonly Problem[]
  /** Whom Drover logs in as by the manifest. */
  readonly user?: string
  /** Who logged in for this look, and whether that may become root without a password. */
  readonly login?: { readonly user: string; readonly admin: boolean }
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly os?: string
  /** As `uname -m` says it. */
  readonly machine?: string
  /** Version of the helper that lies there. */
  readonly helper?: number
  /** Of the file system that releases lie on. */
  readonly freeBytes?: number
  readonly ready: boolean
  /** What was looked at; empty when it cannot be reached. */
  readonly items: readonly Item[]
}

export interface BootstrapOrder {
  readonly host: DeclaredHost
  /** Who makes the changes: a user of the host, or user@address. Absent: whom the manifest says. */
  readonly as?: string
  /** Public keys that shall log in as the deploy user, instead of the one that logs in now. */
  readonly keys: readonly string[]
  /** Hash of the plan that was shown; another one is refused. */
  readonly plan?: string
}

export interface BootstrapPlan {
  readonly host: string
  /** Where and as whom Drover logs in for this. */
  readonly destination: string
  readonly user: string
  readonly os: string
  readonly machine: string
  readonly items: readonly Item[]
  /** What is left to people, as sentences. */
  readonly advice: readonly string[]
  /** sha256 of what it would do, hex. */
  readonly hash: string
}

export type BootstrapEvent =
  | { readonly kind: 'plan'; readonly plan: BootstrapPlan }
  | { readonly kind: 'begin'; readonly item: string }
  | { readonly kind: 'done'; readonly item: string; readonly ms: number }
  /** The host is ready; so many items were changed. */
  | { readonly kind: 'ended'; readonly changed: number }

import type { Secret } from '../secrets/secret.ts'

/**
 * A change of a host, as data. A phase of a release is a list of these, carried out in order in one round trip under
 * the fence (see act.ts). Each is idempotent: a phase that was cut off is simply carried out again.
 */
export type Operation =
  | { readonly kind: 'folder'; readonly path: string; readonly mode?: number }
  /**
   * Whole or not at all: written beside the target, synced, renamed. Content may be a secret. `volatile`: not synced,
   * for what is worth nothing after a power cut and made again. `unread`: nobody reads it meanwhile, and who reads it
   * later notices when it was cut off; written where it lies, which saves a process.
   */
  | {
      readonly kind: 'write'
      readonly path: string
      readonly content: string | Secret
      readonly mode?: number
      readonly volatile?: boolean
      readonly unread?: boolean
    }
  /** A symlink replaced by rename: nobody ever sees it missing. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A file, link or folder and all below it. Absent is fine. */
  | { readonly kind: 'remove'; readonly path: string }
  /**
   * `daemonizes`: the program leaves a process behind; it must not inherit the fence lock.
   * `env` values may be secrets. A non-zero exit ends the list, unless `mayFail`.
   */
  | {
      readonly kind: 'run'
      readonly program: string
      readonly argv: readonly string[]
      readonly cwd?: string
      readonly env?: Readonly<Record<string, string | Secret>>
      readonly daemonizes?: boolean
      readonly mayFail?: boolean
    }

/**
 * The right to change a host's environment. Numbers only grow; a host refuses a number lower than the highest it has
 * seen. `root` is the environment's root folder on the host.
 */
export interface Fence {
  readonly root: string
  readonly number: number
}

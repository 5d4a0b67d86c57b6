import type { NodeProgram } from './node-program.ts'

/** The folder of all environments on a host, unless the manifest says otherwise for one of them. */
export const DEFAULT_ROOT = '/srv/drover'

/** What a host has to have so that a fleet can be released to it. */
export interface HostNeeds {
  /** As the fleet calls it. */
  readonly host: string
  /** The user that Drover logs in as once the host is ready. */
  readonly user: string
  /** Folders of environments that do not lie below {@link DEFAULT_ROOT}. */
  readonly roots: readonly string[]
  /** The program by which root acts for Drover, as it is now. */
  readonly helper: { readonly text: string; readonly version: number }
  /** Where services in Node run here: the program that they were built with. */
  readonly node?: NodeProgram
  /** Where services in Python run here; `version` is that of the builds, such as `3.11`. */
  readonly python?: { readonly version?: string }
  readonly environments: readonly EnvironmentNeeds[]
  /** How to log in for good. `undefined`: this is a look at the host, which needs no new key. */
  readonly access?: Access
}

export interface EnvironmentNeeds {
  /** `<fleet>-<environment>` */
  readonly name: string
  /** Of every service that answers on this host, run by it or not. */
  readonly ports: Readonly<Record<string, number>>
}

export interface Access {
  /** Public keys that a person gave, one line each. */
  readonly given: readonly string[]
  /** The key that logged in just now, such as `SHA256:…`; unknown after another way to log in. */
  readonly fingerprint?: string
}

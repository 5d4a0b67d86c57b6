import type { Readable, Writable } from 'node:stream'
import type { HostDefinition } from '../manifest/fleet.ts'
import type { GlassReport } from '../release/break-glass.ts'
import type { Secret } from '../secrets/secret.ts'

/** Where the program runs, as far as it may know: handed in once, so that nothing below reads the process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  readonly version: string
  /** The command line that starts this very program again: program first. */
  readonly self: readonly string[]
  /** Runs a control plane until it is told to stop. The command line knows nothing of what it is made of. */
  readonly startServer: (options: ServerOptions) => Promise<void>
  /** Takes one host back by itself, without a control plane. */
  readonly breakGlass: (options: GlassOptions) => Promise<GlassReport>
  /** Calls back on Ctrl-C, instead of ending the process, until the returned function is called. */
  readonly onInterrupt: (callback: () => void) => () => void
}

export interface Output extends Writable {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export interface ServerOptions {
  readonly host: string
  readonly port: number
  /** Folder of the control plane's home. */
  readonly home: string
  /** Of a PostgreSQL; absent means the embedded one. */
  readonly databaseUrl?: Secret
  /** An ssh configuration instead of the user's own. */
  readonly sshConfig?: string
  readonly ready: (address: { readonly url: string }, crashedBefore: boolean) => void
}

export interface GlassOptions {
  readonly host: HostDefinition
  readonly environment: string
  readonly fleet?: string
  /** The environment's folder on the host; absent: it is looked for. */
  readonly root?: string
  /** The release to go back to; absent: the one before the live one. */
  readonly to?: number
  /** A folder of this machine that may be written to. */
  readonly folder: string
  /** An ssh configuration instead of the user's own. */
  readonly sshConfig?: string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

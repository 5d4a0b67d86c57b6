import type { Secret } from '../secrets/secret.ts'
import type { Inventory } from './inventory/inventory.ts'
import type { Fence } from './operation.ts'

/**
 * A command is data. `argv` stays a list until the transport quotes it, once. A secret travels only in `env` or
 * `stdin`, never in `argv`.
 */
export interface Command {
  readonly program: string
  readonly argv: readonly string[]
  readonly stdin?: string | Secret
  /** Added to a minimal environment (PATH, HOME, LANG); nothing else of Drover's own environment is passed on. */
  readonly env?: Readonly<Record<string, string | Secret>>
  readonly cwd?: string
  /** What it does, in a few words without secrets, for transcripts: a script on stdin does not show it. */
  readonly summary?: string
}

export interface RunOptions {
  readonly signal?: AbortSignal
  /** Default 60 s. At the end the whole process group gets SIGTERM, and SIGKILL 2 s later. */
  readonly timeoutMs?: number
  /** Called for every line of stdout and stderr, in order, while the command runs. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
  /** Most bytes kept of each stream; the middle of a longer one is left out. Default 1 MiB. */
  readonly maxOutputBytes?: number
  /** It stays for hours: it must not take the place of commands that come and go. */
  readonly standing?: boolean
}

/** Shaped alike for success and failure; a command that could not be started has `exitCode` undefined and `failure`. */
export interface Outcome {
  readonly ok: boolean
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
  /** Why it is not ok, in one line; absent when ok. */
  readonly failure?: 'not-found' | 'exit' | 'signal' | 'timeout' | 'aborted' | 'transport'
}

/** An HTTP question asked from the host itself, to its own loopback. */
export interface Probe {
  readonly port: number
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export interface ProbeAnswer {
  /** undefined: no HTTP answer (refused, reset, timed out, garbage); `error` says which. */
  readonly status: number | undefined
  /** First 4 KiB. */
  readonly body: string
  readonly error?: string
  readonly durationMs: number
}

/** A folder of this machine, and where a host shall have it. */
export interface Parcel {
  /** Absolute. A function is asked only when the host lacks the target; a Refusal of it refuses the upload. */
  readonly folder: string | (() => Promise<string>)
  readonly target: string
  /** What the folder holds, where that is known; asked only when the host lacks the target. Absent: it is read. */
  readonly inventory?: () => Promise<Inventory>
}

export interface UploadOptions {
  readonly signal?: AbortSignal
  /**
   * Nothing is laid when the host has seen a higher number than this: a Refusal `hosts/fenced`. Absent: whoever uploads
   * has nobody to fear.
   */
  readonly fence?: Fence
  /** A folder of folders of earlier targets, such as `<root>/artifacts`. What lies there already need not be sent. */
  readonly shelf?: string
  /**
   * A target whose files were altered since it was laid is laid anew, by a driver that can tell. What was there stays
   * beside it as `.<name>.altered`, for who still runs from it.
   */
  readonly mends?: boolean
}

export interface Uploaded {
  /** Of all files of the target; 0 when it was there. */
  readonly bytes: number
  /** How many of them had to be carried, since the host had no file with that content. */
  readonly sent: number
  /** The target was there. */
  readonly skipped: boolean
  /** The target was there, and was altered. */
  readonly mended?: boolean
}

/** How a folder differs from what was laid there. */
export interface Comparison {
  readonly there: boolean
  /** Of the inventory of what was laid; absent where there is none that can be read. */
  readonly digest?: string
  /** How many paths differ. */
  readonly count: number
  /** The first of them, relative to the folder. */
  readonly paths: readonly string[]
}

/**
 * A machine that runs slots. Local is a host like any other. A driver promises: `run` never rejects for a command's
 * own failure (that is an Outcome), rejects with a Refusal when the host itself cannot be reached; after an abort or
 * time-out nothing of the command is left running; `upload` is atomic (the target appears whole or not at all).
 */
export interface Host {
  readonly name: string
  run(command: Command, options?: RunOptions): Promise<Outcome>
  /** Asks once, all probes in one round trip; answers stand in the order of the questions. */
  probe(probes: readonly Probe[], signal?: AbortSignal): Promise<ProbeAnswer[]>
  /**
   * Lays a folder of this machine on the host. A target that exists already is left as it is (folders laid this way
   * are named by content). Folders, files, whether they can be executed, and links are the same there; owners, times and
   * other modes need not be. Files may be shared by hard links, with each other and with this machine: nothing may write
   * to them. A driver may keep a hidden file beside a target.
   */
  upload(folder: string, target: string, options?: UploadOptions): Promise<Uploaded>
  /** The same for several folders in as few round trips as one takes; results stand in the order of the parcels. */
  uploadAll(parcels: readonly Parcel[], options?: UploadOptions): Promise<readonly Uploaded[]>
  /**
   * Compares folders with what was laid there; answers stand in their order. A file that nobody has written to since counts
   * as what it was, unless all are to be read. Absent: the driver keeps no record of what it has laid.
   */
  compare?(folders: readonly string[], options?: CompareOptions): Promise<readonly Comparison[]>
  /** Follows files from their end minus `lines`; one callback per line until the signal aborts. */
  follow(
    files: readonly string[],
    options: { lines: number; signal: AbortSignal; onLine: (file: string, line: string) => void },
  ): Promise<void>
  /** Absent where the host is this machine, and a socket of the one is a socket of the other. */
  tunnel?(ends: TunnelEnds): Promise<Tunnel>
  close(): Promise<void>
}

export interface CompareOptions {
  readonly signal?: AbortSignal
  /** Reads every file, so that one whose time was set back is found as well. */
  readonly deep?: boolean
}

export interface TunnelEnds {
  /** Path of a Unix socket on the host; what is there is replaced. */
  readonly socket: string
  /** Where connections to it come out: a Unix socket of this machine. */
  readonly localSocket: string
}

/**
 * Lets programs on a host reach a socket of this machine until it is shut. When the connection to the host is lost, or
 * this machine falls silent for 15 s, who is in the tunnel is cut off on both sides and the socket on the host is gone
 * or refuses; it comes back with the connection.
 */
export interface Tunnel {
  /** A Unix socket of this machine whose connections come out at this port of the host's loopback. */
  reach(port: number): Promise<string>
  /** The socket on the host is gone; who has come through it goes on. */
  shut(): Promise<void>
  /** Shut, and nothing new is reached. */
  close(): Promise<void>
}

/** A shell word, quoted for POSIX sh. The only quoting function of the project. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_\-./:=@%+,]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

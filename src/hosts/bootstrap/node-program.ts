/** Where the Node of the builds lies on a host; a link to the folder of the version in use, beside it. */
export const NODE_FOLDER = '/usr/local/lib/drover/node'

/**
 * First on the PATH of what Drover runs on a host, and of nothing else there: whoever has another Node on the host keeps
 * it. Without the folder it means nothing.
 */
export const NODE_BIN = `${NODE_FOLDER}/bin`

/** The program Node that Drover itself runs with: what builds were made with is what services run with. */
export interface NodeProgram {
  /** `v24.21.0`. */
  readonly version: string
  /** As `uname -m` says it. */
  readonly machine: string
  /** Version of the GNU C library that it needs at least; absent where it needs none. */
  readonly glibc?: string
  /** Of the program `node` and the script `npx`, one after the other. */
  readonly sha256: string
  readonly bytes: number
  /** A folder of this machine with `bin/node`, `bin/npx` and nothing else. */
  readonly folder: string
}

export function nodeFolder(version: string): string {
  return `${NODE_FOLDER}-${version}`
}

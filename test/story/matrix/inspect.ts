import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LabHost } from '../../../lab/lab-host.ts'

/** What a host shows of itself; see on-host.py, which looks. Not a word of it is Drover's own. */
export interface HostView {
  readonly host: string
  /** The live set by nginx's link, and the names of the files in it. */
  readonly live: { readonly set: string; readonly files: readonly string[] } | null
  readonly fence: string
  readonly units: readonly {
    readonly service: string
    readonly slot: string
    /** Such as `active/running`. */
    readonly state: string
    readonly pid: number
  }[]
  /** Every process of a service, with the version that the bytes in its folder have. */
  readonly services: readonly {
    readonly pid: number
    readonly folder: string
    readonly version: string
    readonly service?: string
    readonly slot?: string
  }[]
  /** What the deploy user has under way. */
  readonly commands: readonly string[]
  /** Masters of nginx for this environment. */
  readonly masters: number
  /** Slots that a boot would start. */
  readonly wanted: readonly string[]
  readonly halfMade: readonly string[]
  /** What a client on the host gets from each service at its stable port. */
  readonly answers: Readonly<Record<string, Answer>>
}

export type Answer =
  | { readonly version: string; readonly slot: string; readonly pid: number }
  | { readonly failed: string }

export interface Sight {
  readonly root: string
  /** Of the units of the environment. */
  readonly prefix: string
  readonly ports: Readonly<Record<string, number>>
}

const SCRIPT = await readFile(join(import.meta.dirname, 'on-host.py'), 'utf8')

/** Looks at a host that is on, whether its network is cut or not. */
export async function inspect(machine: LabHost, { root, prefix, ports }: Sight): Promise<HostView> {
  const places = Object.entries(ports).map(([service, port]) => `${service}=${port}`)
  const said = await machine.inside(['python3', '-c', SCRIPT, root, prefix, ...places])
  return { host: machine.name, ...(JSON.parse(said) as Omit<HostView, 'host'>) }
}

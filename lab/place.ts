import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Where the lab keeps its base tree and its running hosts: one folder per checkout, never in git. */
export const CACHE = join(import.meta.dirname, '../.cache/lab')
export const RUNS = join(CACHE, 'run')

/** Every name that the lab gives to a bridge, a namespace, a group or a folder starts so; what follows says whose it is. */
export const PREFIX = 'dlab'

/** Tells what is this checkout's from another's, where a name counts on the whole machine. */
export const CHECKOUT = createHash('sha256').update(CACHE).digest('hex').slice(0, 4)

/** The owner of the one lab of this checkout that outlives the process that opened it. */
export const UP = `u${CHECKOUT}`

/** One lab: `id` is the prefix and the id of the process that owns it, or {@link UP}. */
export interface LabPlace {
  readonly id: string
  /** The third number of its addresses. */
  readonly subnet: number
  readonly hosts: readonly HostPlace[]
}

/** Everything that belongs to a host can be found from this, so that another process can take the lab over. */
export interface HostPlace {
  readonly name: string
  /** Bridge and folder of its lab. */
  readonly lab: string
  /** Network namespace, cgroup and machine name. */
  readonly id: string
  readonly address: string
  readonly mac: string
  /** The machine's end of its line; an interface name has 15 characters at most. */
  readonly port: string
  /** The bridge's end while the line is slow. */
  readonly slowPort: string
  /** Holds the disk image, the mounts, the keys and the console's output. */
  readonly folder: string
  /** Folders laid between the base tree and the host's own disk, uppermost first. */
  readonly layers?: readonly string[]
}

/** Names and addresses of a lab of so many hosts. */
export function labPlace(owner: string, subnet: number, hosts: number): LabPlace {
  const id = `${PREFIX}${owner}`
  return { id, subnet, hosts: Array.from({ length: hosts }, (_, index) => hostPlace(id, subnet, index + 1)) }
}

function hostPlace(lab: string, subnet: number, number: number): HostPlace {
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
  return {
    name: `h${number}`,
    lab,
    id: `${lab}-h${number}`,
    address: `10.213.${subnet}.${10 + number}`,
    mac: `02:d0:00:00:${hex(subnet)}:${hex(number)}`,
    port: `${lab}p${number}`,
    slowPort: `${lab}s${number}`,
    folder: join(RUNS, lab, `h${number}`),
  }
}

/** The machine's own address on the bridge of a lab. */
export function gateway(subnet: number): string {
  return `10.213.${subnet}.1`
}

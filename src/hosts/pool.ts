import { join } from 'node:path'
import type { HostDefinition } from '../manifest/fleet.ts'
import { ipAddress } from './address.ts'
import { tellingCuts } from './cut-off.ts'
import type { Host } from './host.ts'
import { inventories } from './inventory/inventories.ts'
import { sshAddress } from './ssh/address.ts'
import { sshHost } from './ssh/ssh-host.ts'

/** What every connection over SSH of a control plane has in common. */
export interface SshSettings {
  /** Instead of ~/.ssh/config and /etc/ssh/ssh_config. */
  readonly configFile?: string
  /** Default 10. */
  readonly connectTimeoutSeconds?: number
  /** A connection on which nothing has come for so long is lost. Default 15. */
  readonly silenceSeconds?: number
}

export interface HostPoolOptions {
  /** This machine, as the fleets' host `local`. */
  readonly local: Host
  /** Starts programs on this machine. */
  readonly run: Host['run']
  /** For sockets of connections, and for inventories of what goes to hosts. */
  readonly folder: string
  readonly ssh?: SshSettings
}

const LOOPBACK = '127.0.0.1'

export interface HostPool {
  /** The same host for the same definition, so that its connection is shared. No connection is made here. */
  of(definition: HostDefinition): Host
  /** The IP address at which other hosts reach it; a Refusal when nobody has said it and it cannot be found out. */
  address(definition: HostDefinition): Promise<string>
  close(): Promise<void>
}

/** The hosts of all fleets, each opened at its first use. */
export function hostPool({ local, run, folder, ssh = {} }: HostPoolOptions): HostPool {
  const opened = new Map<string, Host>()
  const shared = inventories(join(folder, 'inventories'))

  return {
    of({ name, ssh: reach }) {
      if (reach === undefined) return local
      const { destination, port } = reach
      const key = JSON.stringify([name, destination, port])
      const known = opened.get(key)
      if (known !== undefined) return known
      const at = { name, destination, ...(port === undefined ? {} : { port }) }
      const host = tellingCuts(sshHost({ ...at, ...ssh, folder: join(folder, 'ssh'), inventories: shared, run }))
      opened.set(key, host)
      return host
    },
    async address({ name, address, ssh: reach }) {
      if (address === undefined && reach === undefined) return LOOPBACK
      const given = address ?? (await sshAddress({ ...ssh, destination: reach!.destination, run }))
      return ipAddress(name, given)
    },
    async close() {
      await Promise.all([...opened.values()].map((host) => host.close()))
    },
  }
}

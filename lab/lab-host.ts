import { fillDisk, freeDisk } from './disk.ts'
import { USER, boot, identityOf, installMachine, isOn, knownHostsOf, reboot, runInside, stopAtOnce } from './machine.ts'
import { cutLine, fastLine, forgetConnections, healLine, lineIsUp, slowLine } from './network.ts'
import type { SlowLine } from './network.ts'
import type { HostPlace } from './place.ts'

/** How to log in as `admin`, who may do everything by sudo without a password. */
export interface SshAccess {
  readonly port: number
  readonly user: string
  readonly identityFile: string
  readonly knownHostsFile: string
}

/**
 * A host of the lab and what can happen to it. Each promise is kept when the thing has happened. Its clock cannot jump:
 * all hosts share the kernel's, which is this machine's.
 */
export interface LabHost {
  readonly name: string
  readonly address: string
  readonly ssh: SshAccess
  /** Off at once: nobody gets a goodbye, and what was not synced to the disk is lost. */
  powerCut(): Promise<void>
  /** Boots from the disk as it is; back when its systemd has started everything. The network stays as it was cut or healed. */
  powerOn(): Promise<void>
  /** In good order, as `systemctl reboot` on the host; back when its systemd has started everything. */
  reboot(): Promise<void>
  /** Every frame from and to the host is dropped in silence. Connections hang; those that have not given up go on after `networkHeal`. */
  networkCut(): Promise<void>
  networkHeal(): Promise<void>
  /** What happens to each frame, in each direction; without an argument the line is fast again. Connections stay. */
  slowLine(slow?: SlowLine): Promise<void>
  /** Leaves so many bytes on the disk, or a few blocks less. */
  fillDisk(leaveBytes: number): Promise<void>
  freeDisk(): Promise<void>
  /** Power cut, a new disk, network healed and fast, and booted again, with the same keys and address. */
  reset(): Promise<void>
  /**
   * Runs a program as root past the network, to look at the host or to break something; gives its stdout, rejects with
   * its stderr when it fails. What it leaves running ends with the host's power.
   */
  inside(command: readonly string[]): Promise<string>
  state(): Promise<{ readonly power: 'on' | 'off'; readonly network: 'up' | 'cut' }>
}

export function labHost(place: HostPlace): LabHost {
  const host: LabHost = {
    name: place.name,
    address: place.address,
    ssh: { port: 22, user: USER, identityFile: identityOf(place), knownHostsFile: knownHostsOf(place) },
    powerCut: () => powerCut(place),
    powerOn: async () => {
      if (!(await isOn(place))) await boot(place)
    },
    reboot: () => reboot(place),
    networkCut: () => cutLine(place),
    networkHeal: () => healLine(place),
    slowLine: (slow) => (slow === undefined ? fastLine(place) : slowLine(place, slow)),
    fillDisk: (leaveBytes) => fillDisk(place, leaveBytes),
    freeDisk: () => freeDisk(place),
    reset: async () => {
      await powerCut(place)
      await fastLine(place)
      await healLine(place)
      await installMachine(place)
      await boot(place)
    },
    inside: (command) => runInside(place, command),
    state: async () => ({
      power: (await isOn(place)) ? 'on' : 'off',
      network: (await lineIsUp(place)) ? 'up' : 'cut',
    }),
  }
  return host
}

/** The line goes first: the kernel says goodbye (FIN, RST) for processes that are killed, a host without power does not. */
async function powerCut(place: HostPlace): Promise<void> {
  const wasUp = await lineIsUp(place)
  await cutLine(place)
  await stopAtOnce(place)
  await forgetConnections(place)
  if (wasUp) await healLine(place)
}

import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { refusal } from '../src/problem/problem.ts'
import { alone } from './alone.ts'
import { buildBaseTree } from './base-tree.ts'
import { labHost } from './lab-host.ts'
import type { LabHost } from './lab-host.ts'
import { boot, installMachine, makeKeys, removeMachine } from './machine.ts'
import { whatIsMissing } from './needs.ts'
import { closeBridge, freeSubnet, openBridge, plugIn, unplug } from './network.ts'
import { PREFIX, RUNS, UP, gateway, labPlace } from './place.ts'
import type { LabPlace } from './place.ts'
import { claim, isLive, readRecord } from './record.ts'
import { writeSshConfig } from './ssh-config.ts'

export interface Lab {
  readonly hosts: readonly LabHost[]
  /** This machine's own address among the hosts: what listens on it, or on 0.0.0.0, they can reach. */
  readonly address: string
  /** Keys, disks and consoles; gone after `close`. */
  readonly folder: string
  /** Removes everything: processes, mounts, namespaces, bridge, folders. May be called again. */
  close(): Promise<void>
}

export interface LabOptions {
  /** From 1 to 9. */
  readonly hosts: number
  /** `up`: lives until it is closed, by any process. Absent: the lab is this process's, and swept when it is gone. */
  readonly owner?: 'up'
  readonly say?: (line: string) => void
  /** Folders laid over the base tree of every host, uppermost first; each the upper one of an overlay. */
  readonly layers?: readonly string[]
}

/**
 * Boots so many hosts, named h1, h2 and so on, with a real systemd each, on a bridge of their own that leads nowhere.
 * A process has one lab at a time. Rejects with a Refusal where this machine cannot do it, see {@link whatIsMissing}.
 */
export async function openLab({ hosts, owner, say = () => undefined, layers = [] }: LabOptions): Promise<Lab> {
  const missing = await whatIsMissing()
  if (missing.length > 0) {
    throw refusal('lab/missing', 'the lab', missing.join('; '), 'Run it as root on Linux, after tools/lab-packages.')
  }
  await sweepLabs()
  await buildBaseTree(say)
  const id = owner === 'up' ? UP : String(process.pid)
  const bare = labPlace(id, freeSubnet(process.pid), hosts)
  const place = { ...bare, hosts: bare.hosts.map((host) => ({ ...host, layers })) }
  if (!(await claim(place))) {
    throw refusal('lab/open', 'the lab', `${place.id} is open already`, 'Close it first ("make lab ARGS=down").')
  }
  try {
    await openBridge(place)
    // One after another, since each of them may be the first that makes /run/netns.
    for (const host of place.hosts) await plugIn(host)
    await Promise.all(
      place.hosts.map(async (host) => {
        await makeKeys(host)
        await installMachine(host)
        await boot(host)
      }),
    )
    await writeSshConfig(place)
  } catch (error) {
    await closeLab(place)
    throw error
  }
  return asLab(place)
}

/** The lab that the command line has up, or undefined. */
export async function foundLab(): Promise<Lab | undefined> {
  const record = await readRecord(`${PREFIX}${UP}`)
  return record !== undefined && (await isLive(record)) ? asLab(record) : undefined
}

/** Removes what labs left behind whose process is gone, or that were up when this machine was switched off. */
export async function sweepLabs(): Promise<void> {
  // Two that sweep the same lab would each fail at what the other has just removed.
  await alone('sweep', async () => {
    for (const id of await readdir(RUNS).catch(() => [])) {
      const record = await readRecord(id)
      if (record === undefined) await sweepRest(id)
      else if (!(await isLive(record))) await closeLab(record)
    }
  })
}

/** A folder without a record: its lab is all gone, or has not begun. */
async function sweepRest(id: string): Promise<void> {
  const claimant = /-(\d+)$/.exec(id)?.[1]
  const isBeginning = claimant !== undefined && (await readdir(`/proc/${claimant}`).catch(() => [])).length > 0
  if (!isBeginning) await rm(join(RUNS, id), { recursive: true, force: true })
}

function asLab(place: LabPlace): Lab {
  return {
    hosts: place.hosts.map(labHost),
    address: gateway(place.subnet),
    folder: join(RUNS, place.id),
    close: () => closeLab(place),
  }
}

/** In the order in which one thing holds another; each step does what is left of it. */
async function closeLab(place: LabPlace): Promise<void> {
  await Promise.all(place.hosts.map(removeMachine))
  for (const host of place.hosts) await unplug(host)
  await closeBridge(place.id)
  await rm(join(RUNS, place.id), { recursive: true, force: true })
  await rmdir(RUNS).catch(() => undefined)
}

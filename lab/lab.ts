import { mkdir, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { refusal } from '../src/problem/problem.ts'
import { buildBaseTree } from './base-tree.ts'
import { killGroup } from './cgroup.ts'
import { labHost } from './lab-host.ts'
import type { LabHost } from './lab-host.ts'
import { installMachine, makeKeys, removeMachine, boot } from './machine.ts'
import { whatIsMissing } from './needs.ts'
import { closeBridge, freeSubnet, openBridge, plugIn, unplug } from './network.ts'
import { PREFIX, RUNS, gateway, labPlace } from './place.ts'
import type { LabPlace } from './place.ts'

export interface Lab {
  readonly hosts: readonly LabHost[]
  /** The machine's own address among the hosts. */
  readonly address: string
  /** Removes everything: processes, mounts, namespaces, bridge, folders. May be called again. */
  close(): Promise<void>
}

interface StoredLab extends LabPlace {
  /** When the process started that owns it. */
  readonly started?: string
}

export interface LabOptions {
  readonly hosts: number
  /** Lives until it is closed, by any process; absent: the lab is this process's, and swept when it is gone. */
  readonly owner?: 'up'
  readonly say?: (line: string) => void
  /** Folders laid over the base tree of every host, uppermost first; each the upper one of an overlay. */
  readonly layers?: readonly string[]
}

/**
 * Boots so many hosts, named h1, h2 and so on, with a real systemd each, on a bridge of their own that leads nowhere.
 * Rejects with a Refusal where this machine cannot do it, see {@link whatIsMissing}.
 */
export async function openLab({ hosts, owner, say = () => undefined, layers = [] }: LabOptions): Promise<Lab> {
  const missing = await whatIsMissing()
  if (missing.length > 0) {
    throw refusal('lab/missing', 'the lab', missing.join('; '), 'Run it as root on Linux, after "make setup".')
  }
  await sweepLabs()
  await buildBaseTree(say)
  const id = owner ?? String(process.pid)
  const bare = labPlace(id, freeSubnet(process.pid), hosts)
  const place = { ...bare, hosts: bare.hosts.map((host) => ({ ...host, layers })) }
  await mkdir(RUNS, { recursive: true })
  // Made, not taken over: a lab of this name is somebody's until it is closed.
  await mkdir(join(RUNS, place.id))
  try {
    const started = await startOf(process.pid)
    await writeFile(join(RUNS, place.id, 'lab.json'), JSON.stringify({ ...place, started }))
    await openBridge(place)
    for (const host of place.hosts) {
      await makeKeys(host)
      await plugIn(host)
      await installMachine(host)
    }
    await Promise.all(place.hosts.map(boot))
  } catch (error) {
    await closeLab(place)
    throw error
  }
  return asLab(place)
}

/** The lab that the command line has up, or undefined. */
export async function foundLab(): Promise<Lab | undefined> {
  const place = await readLab(`${PREFIX}up`)
  return place === undefined ? undefined : asLab(place)
}

/** Removes what labs left behind whose process is gone. */
export async function sweepLabs(): Promise<void> {
  for (const id of await readdir(RUNS).catch(() => [])) {
    const owner = /^dlab(\d+)$/.exec(id)?.[1]
    if (owner === undefined) continue
    const place = await readLab(id)
    const start = await startOf(Number(owner))
    if (start !== undefined && (place === undefined || place.started === start)) continue
    await (place === undefined ? rm(join(RUNS, id), { recursive: true }) : closeLab(place))
  }
}

/** When a process started, in ticks since this machine did; tells it from a later one with the same id. */
async function startOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name, in brackets, may hold spaces. The 22nd field is the 20th after it.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19]
}

async function readLab(id: string): Promise<StoredLab | undefined> {
  const text = await readFile(join(RUNS, id, 'lab.json'), 'utf8').catch(() => '')
  if (text === '') return undefined
  // Written by openLab alone.
  const lab: StoredLab = JSON.parse(text)
  return lab
}

function asLab(place: LabPlace): Lab {
  return {
    hosts: place.hosts.map(labHost),
    address: gateway(place.subnet),
    close: () => closeLab(place),
  }
}

/** In the order in which one thing holds another; each step does what is left of it. */
async function closeLab(place: LabPlace): Promise<void> {
  await Promise.all(place.hosts.map((host) => killGroup(host.id)))
  for (const host of place.hosts) {
    await removeMachine(host)
    await unplug(host)
  }
  await closeBridge(place.id)
  await rm(join(RUNS, place.id), { recursive: true, force: true })
  await rmdir(RUNS).catch(() => undefined)
}

import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killGroup, processesIn, startIn } from './cgroup.ts'
import { gateway } from './place.ts'
import type { HostPlace, LabPlace } from './place.ts'
import { attempt, run, until } from './shell.ts'

/** What a slow line does to each frame, in each direction. */
export interface SlowLine {
  readonly delayMs: number
  /** Kilobits per second; absent: as fast as it goes. */
  readonly kbps?: number
  /** Frames in a hundred that are lost. */
  readonly lossPercent?: number
}

const ip = (...args: string[]): Promise<string> => run('ip', args)

/** A third number for 10.213.x that no interface of this machine has; starts at a number of the owner's. */
export function freeSubnet(start: number): number {
  const taken = Object.values(networkInterfaces()).flatMap((list) => list?.map((each) => each.address) ?? [])
  for (let step = 0; step < 254; step++) {
    const subnet = 1 + ((start + step) % 254)
    if (!taken.includes(gateway(subnet))) return subnet
  }
  throw new Error('every network from 10.213.1.0/24 to 10.213.254.0/24 is in use')
}

/** The bridge, with an address of the machine's own so that it can reach the hosts. No route leads on from it. */
export async function openBridge(lab: LabPlace): Promise<void> {
  await ip('link', 'add', lab.id, 'type', 'bridge', 'forward_delay', '0')
  await ip('address', 'add', `${gateway(lab.subnet)}/24`, 'dev', lab.id)
  await ip('link', 'set', lab.id, 'up')
}

/** The host's namespace, which stays when its power is cut, with a line to the bridge. */
export async function plugIn(host: HostPlace): Promise<void> {
  await ip('netns', 'add', host.id)
  await ip('link', 'add', host.port, 'type', 'veth', 'peer', 'name', 'eth0', 'address', host.mac, 'netns', host.id)
  await setUpInside(host)
  await ip('link', 'set', host.port, 'master', host.lab, 'up')
  // Known for good, or a host that is cut off would be "no route to host" after 3 s instead of silent.
  await ip('neighbour', 'replace', host.address, 'lladdr', host.mac, 'dev', host.lab, 'nud', 'permanent')
}

/**
 * A namespace that knows of no connection, on the same line. In the old one the kernel would go on saying goodbye for
 * processes that were killed.
 */
export async function forgetConnections(host: HostPlace): Promise<void> {
  const between = `${host.port}x`
  await ip('-netns', host.id, 'link', 'set', 'eth0', 'netns', String(process.pid), 'name', between)
  await ip('netns', 'delete', host.id)
  await ip('netns', 'add', host.id)
  await ip('link', 'set', between, 'netns', host.id, 'name', 'eth0')
  await setUpInside(host)
}

async function setUpInside(host: HostPlace): Promise<void> {
  const inside = (...args: string[]): Promise<string> => ip('-netns', host.id, ...args)
  await inside('link', 'set', 'lo', 'up')
  await inside('link', 'set', 'eth0', 'up')
}

/** Gives the host its address. Until then it is as silent as a host without power, though its line is there. */
export async function giveAddress(host: HostPlace): Promise<void> {
  await ip('-netns', host.id, 'address', 'replace', `${host.address}/24`, 'dev', 'eth0')
}

/** The bridge drops every frame from and to the host. Nobody is told: connections hang. */
export async function cutLine(host: HostPlace): Promise<void> {
  await run('bridge', ['link', 'set', 'dev', await bridgePort(host), 'state', '0'])
}

/** Undoes a cut. Connections that have not given up go on. A port that was just plugged in is down for a moment. */
export async function healLine(host: HostPlace): Promise<void> {
  const args = ['link', 'set', 'dev', await bridgePort(host), 'state', '3']
  for (let tries = 0; tries < 40; tries++) {
    if (await attempt('bridge', args)) return
    await sleep(50)
  }
  await run('bridge', args)
}

/**
 * Puts a relay of frames into the line. A program, not `tc netem`, since many kernels are built without it.
 * Connections stay.
 */
export async function slowLine(host: HostPlace, slow: SlowLine): Promise<void> {
  await fastLine(host)
  const isUp = await lineIsUp(host)
  const far = `${host.slowPort}x`
  await ip('link', 'add', host.slowPort, 'type', 'veth', 'peer', 'name', far)
  await ip('link', 'set', far, 'up')
  await ip('link', 'set', host.port, 'nomaster')
  await ip('link', 'set', host.slowPort, 'master', host.lab, 'up')
  const numbers = [slow.delayMs, slow.kbps ?? 0, slow.lossPercent ?? 0].map(String)
  const relay = join(import.meta.dirname, 'slow_line.py')
  await startIn(`${host.id}-line`, join(host.folder, 'line.log'), ['python3', relay, host.port, far, ...numbers])
  await until('the slow line to start', 10, async () => (await processesIn(`${host.id}-line`)).length > 0)
  // The bridge has another port now, which knows nothing of a cut.
  if (!isUp) await cutLine(host)
}

/** Takes the relay out again; nothing to do where there is none. */
export async function fastLine(host: HostPlace): Promise<void> {
  if (!(await isSlow(host))) return
  const isUp = await lineIsUp(host)
  await killGroup(`${host.id}-line`)
  await ip('link', 'delete', host.slowPort)
  await ip('link', 'set', host.port, 'master', host.lab)
  if (!isUp) await cutLine(host)
}

/** Removes the host's line and namespace, as far as they are there. */
export async function unplug(host: HostPlace): Promise<void> {
  await killGroup(`${host.id}-line`)
  for (const port of [host.slowPort, host.port]) await removeLink(port)
  if (existsSync(`/run/netns/${host.id}`)) await ip('netns', 'delete', host.id)
}

export async function closeBridge(lab: string): Promise<void> {
  await removeLink(lab)
}

async function removeLink(name: string): Promise<void> {
  if (await isLink(name)) await ip('link', 'delete', name)
}

async function isLink(name: string): Promise<boolean> {
  return attempt('ip', ['link', 'show', name])
}

/** Whether frames pass between the host and the bridge. */
export async function lineIsUp(host: HostPlace): Promise<boolean> {
  return (await run('bridge', ['link', 'show', 'dev', await bridgePort(host)])).includes('state forwarding')
}

async function bridgePort(host: HostPlace): Promise<string> {
  return (await isSlow(host)) ? host.slowPort : host.port
}

async function isSlow(host: HostPlace): Promise<boolean> {
  return isLink(host.slowPort)
}

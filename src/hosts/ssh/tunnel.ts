import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import type { Tunnel, TunnelEnds } from '../host.ts'
import type { Connection } from './connection.ts'
import { openPassage } from './passage.ts'
import type { Passage } from './passage.ts'

const AGAIN_MS = 1_000

export interface Tunnels {
  /** See `Host.tunnel`. */
  open(ends: TunnelEnds): Promise<Tunnel>
  close(): Promise<void>
}

/** The tunnels through a connection of ssh. */
export function tunnels(connection: Connection): Tunnels {
  const open = new Set<Tunnel>()
  return {
    async open(ends) {
      const tunnel = await openTunnel(connection, ends)
      open.add(tunnel)
      return {
        ...tunnel,
        async close() {
          open.delete(tunnel)
          await tunnel.close()
        },
      }
    },
    async close() {
      await Promise.all([...open].map((tunnel) => tunnel.close()))
      open.clear()
      await connection.close()
    },
  }
}

async function openTunnel(connection: Connection, ends: TunnelEnds): Promise<Tunnel> {
  const stop = new AbortController()
  let passage: Passage | undefined = await openPassage(connection, ends, stop.signal)
  // Only its owner may go through.
  const folder = await mkdtemp(join(tmpdir(), 'drover-tunnel-'))
  let reached = new Map<number, Promise<string>>()
  let made = 0
  const kept = keep()

  /** A connection that was lost is made again, until nobody needs it. */
  async function keep(): Promise<void> {
    while (!stop.signal.aborted) {
      await passage?.ended
      if (stop.signal.aborted) return
      passage = undefined
      reached = new Map()
      await sleep(AGAIN_MS, undefined, { signal: stop.signal }).catch(() => undefined)
      if (!stop.signal.aborted) passage = await openPassage(connection, ends, stop.signal).catch(() => undefined)
    }
  }

  async function reach(port: number): Promise<string> {
    if (passage === undefined) throw refusal('hosts/tunnel', `host ${connection.options.name}`, 'the tunnel is cut')
    const socket = join(folder, String((made += 1)))
    await passage.reach(port, socket)
    return socket
  }

  async function shut(): Promise<void> {
    stop.abort()
    await kept
  }

  return {
    reach(port) {
      const known = reached.get(port) ?? reach(port)
      reached.set(port, known)
      known.catch(() => reached.delete(port))
      return known
    },
    shut,
    async close() {
      await shut()
      await passage?.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

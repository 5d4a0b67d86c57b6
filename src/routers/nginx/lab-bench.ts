import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { asHost } from '../../../lab/as-host.ts'
import type { LabHost } from '../../../lab/lab-host.ts'
import { openLab } from '../../../lab/lab.ts'
import type { Lab } from '../../../lab/lab.ts'
import { DEPLOY_USER, makeReady } from '../../../lab/ready-host.ts'
import type { Host } from '../../hosts/host.ts'
import type { SlotName } from '../../manifest/fleet.ts'
import type { RouteChoice, Router, SlotRoute } from '../router.ts'

const OWNER = { fleet: 'shop', environment: 'lab' }
const ROOT = `/srv/drover/${OWNER.fleet}/${OWNER.environment}`

/** A host of the lab with a router, and slots that run on it. */
export interface LabSite {
  readonly machine: LabHost
  readonly host: Host
  readonly root: string
  readonly route: SlotRoute & { readonly listen: readonly string[] }
  /** Starts both slots; they are gone when the host loses its power. */
  startSlots(): Promise<void>
  /** Lays a set and switches to it. */
  live(router: Router, choice: SlotName | RouteChoice): Promise<void>
  /** Who answers a program of the host at the stable port, or the status. */
  whoAnswers(): Promise<string | number | undefined>
}

/** Where the network of a host is kept, for programs of this machine that are to stand in it. */
export function networkOf(lab: Lab, machine: LabHost): string {
  return `/run/netns/${basename(lab.folder)}-${machine.name}`
}

export interface LabSites {
  readonly lab: Lab
  readonly owner: typeof OWNER
  readonly sites: readonly LabSite[]
  close(): Promise<void>
}

/** Says which slot it is, after a moment in which others may come. */
const SLOT = `
const { createServer } = require('node:http')
const [name, port] = process.argv.slice(1)
const server = createServer((request, response) => {
  request.resume().on('end', () => setTimeout(() => response.end(name), 5))
})
server.listen(Number(port), '127.0.0.1')
`

export async function openLabSites(count: number): Promise<LabSites> {
  const lab = await openLab({ hosts: count })
  const hosts: Host[] = []
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.close()))
    await lab.close()
  }
  try {
    for (const machine of lab.hosts) {
      await makeReady(machine)
      hosts.push(await asHost(machine, DEPLOY_USER))
    }
  } catch (error) {
    await close()
    throw error
  }
  const sites = lab.hosts.map((machine, index) => {
    const host = hosts[index]
    assert.ok(host !== undefined)
    return labSite(machine, host)
  })
  return { lab, owner: OWNER, sites, close }
}

let sets = 0

function labSite(machine: LabHost, host: Host): LabSite {
  const route = { service: 'shop', port: 3080, slotPorts: [13_080, 23_080], listen: [machine.address] } as const
  const fence = { root: ROOT, number: 1 }
  return {
    machine,
    host,
    root: ROOT,
    route,
    async startSlots() {
      for (const [index, slot] of ['a', 'b'].entries()) {
        const name = `${machine.name}.${slot}`
        const server = ['/usr/local/bin/node', '-e', SLOT, name, String(route.slotPorts[index])]
        await machine.inside(['systemd-run', '--quiet', `--unit=slot-${slot}`, ...server])
      }
    },
    async live(router, choice) {
      const name = `set-${(sets += 1)}`
      const choices = { shop: typeof choice === 'string' ? { slot: choice } : choice }
      await router.lay(host, fence, { name, release: 1, choices })
      await router.switch(host, fence, name)
    },
    async whoAnswers() {
      const [answer] = await host.probe([{ port: route.port, path: '/', timeoutMs: 5000 }])
      return answer?.status === 200 ? answer.body : (answer?.status ?? answer?.error)
    },
  }
}

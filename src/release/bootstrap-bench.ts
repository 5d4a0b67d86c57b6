import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabHost } from '../../lab/lab-host.ts'
import { openLab } from '../../lab/lab.ts'
import { sshConfig } from '../../lab/ssh-config.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { hostPool } from '../hosts/pool.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import { Refusal } from '../problem/problem.ts'
import type { BootstrapEvent, BootstrapPlan, HostOperations } from './host-operations.ts'
import { makeHostOperations } from './make-host-operations.ts'

/** A control plane's way of looking after hosts, on a lab of bare ones, for the tests of a file. */
export interface BootstrapBench {
  readonly hosts: readonly LabHost[]
  readonly folder: string
  readonly operations: HostOperations
  /** The same with another ssh configuration. */
  with(configFile: string): HostOperations
  bootstrap(host: LabHost, options?: { readonly signal: AbortSignal }): AsyncIterable<BootstrapEvent>
  /** Names of the items that are not as they should be, as the administrator sees it. */
  lacking(host: LabHost): Promise<string[]>
  close(): Promise<void>
}

export async function openBootstrapBench(count: number): Promise<BootstrapBench> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'drover-bootstrap-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const lab = await openLab({ hosts: count })
  opening.defer(() => lab.close())
  const local = localHost()
  opening.defer(() => local.close())
  const pools: { close(): Promise<void> }[] = []
  opening.defer(async () => {
    await Promise.all(pools.map((pool) => pool.close()))
  })
  const withConfig = (configFile: string): HostOperations => {
    const ssh = { configFile }
    const hosts = hostPool({ local, run: (command, options) => local.run(command, options), folder, ssh })
    pools.push(hosts)
    return makeHostOperations({ hosts, local, folder, ssh })
  }
  const operations = withConfig(sshConfig(lab))
  const ends = opening.move()
  return {
    hosts: lab.hosts,
    folder,
    operations,
    with: withConfig,
    bootstrap: (host, { signal } = { signal: new AbortController().signal }) =>
      operations.bootstrap({ host: declared(host), ...ADMIN }, signal),
    lacking: async (host) => unlike(await operations.plan({ host: declared(host), ...ADMIN })),
    close: () => ends.disposeAsync(),
  }
}

/** Logs in as the lab's administrator. */
export const ADMIN = { keys: [], as: 'admin' } as const

/** A host of a fleet with one service in Node, and a root of its own. */
export function declared({ name }: Pick<LabHost, 'name'>): DeclaredHost {
  return {
    fleet: 'pakashop',
    name,
    ssh: { destination: `drover@${name}` },
    labels: [],
    environments: [
      { name: 'production', root: '/opt/pakashop', peers: [], ports: { gateway: 8000 }, languages: ['node'] },
    ],
  }
}

export function unlike(plan: BootstrapPlan): string[] {
  return plan.items.filter(({ sign }) => sign !== 'same').map(({ name }) => name)
}

export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  return assert.fail('nothing was refused')
}

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { asHost, sshConfiguration } from '../../lab/as-host.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { DEPLOY_USER } from '../../lab/ready-host.ts'
import { openControlPlane } from '../../src/drivers.ts'
import type { OpenedControlPlane } from '../../src/drivers.ts'
import type { Host } from '../../src/hosts/host.ts'
import type { FaultPoints } from '../../src/journal/faults.ts'
import type { Order } from '../../src/release/records.ts'
import { makeSmallFleet } from '../fleet/small-fleet.ts'
import type { SmallFleet } from '../fleet/small-fleet.ts'
import { endAll, optionsFor } from './bench.ts'

/** The small fleet on hosts of the lab, and the home of a control plane here. */
export interface HostsBench {
  readonly fleet: SmallFleet
  readonly deploy: Order
  readonly control: OpenedControlPlane
  /** What a client on a host gets from a service at its stable port. */
  ask(host: string, service: string): Promise<Answer>
  /** Runs a line of shell on a host, as Drover would. */
  shell(host: string, line: string): Promise<string>
}

export interface Answer {
  readonly status: number | undefined
  readonly version?: string
  readonly slot?: string
  readonly pid?: number
}

export interface HostsBenchOptions {
  /** The environment's line in drover.yaml names them all; `placed` says more of a service, such as `on: [h1]`. */
  readonly machines: readonly LabHost[]
  readonly placed?: Readonly<Record<string, string>>
  readonly watch?: string
  readonly faults?: FaultPoints
}

export async function hostsBench(
  t: TestContext,
  { machines, placed = {}, watch = '500ms', faults }: HostsBenchOptions,
): Promise<HostsBench> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-hosts-'))
  // As root the embedded server runs as another user; behind closed folders its data would lie elsewhere and stay.
  await chmod(folder, 0o755)
  const home = join(folder, 'home')
  await mkdir(home, { mode: 0o711 })
  const configFile = join(folder, 'ssh_config')
  await writeFile(configFile, machines.map((machine) => sshConfiguration(machine, DEPLOY_USER)).join(''))
  const fleet = await makeSmallFleet({ folder: join(folder, 'repository'), journal: '/dev/null', watch, warm: '10m' })
  await fleet.rewrite((manifest) => onHosts(manifest, machines, placed))
  const control = await openControlPlane({
    ...optionsFor(home),
    ssh: { configFile, connectTimeoutSeconds: 5 },
    ...(faults === undefined ? {} : { faults }),
  })
  const hosts = new Map<string, Host>()
  t.after(async () => {
    try {
      await endAll(control)
    } finally {
      await control.close()
      await Promise.all([...hosts.values()].map((host) => host.close()))
      await rm(folder, { recursive: true, force: true })
    }
  })
  for (const machine of machines) hosts.set(machine.name, await asHost(machine, DEPLOY_USER))
  await fleet.commit({})
  return {
    fleet,
    control,
    deploy: { goal: 'deploy', repository: fleet.folder, ref: 'main' },
    async ask(host, service) {
      const [answer] = await hosts.get(host)!.probe([{ port: fleet.ports[service]!, path: '/', timeoutMs: 5000 }])
      return { status: answer?.status, ...(JSON.parse(answer?.body || '{}') as object) }
    },
    async shell(host, line) {
      const { ok, stdout, stderr } = await hosts.get(host)!.run({ program: 'sh', argv: ['-c', line] })
      if (!ok) throw new Error(`${host}: ${line}: ${stderr}`)
      return stdout
    },
  }
}

/** Its manifest, with hosts of the lab in the place of this machine. */
function onHosts(manifest: string, machines: readonly LabHost[], placed: Readonly<Record<string, string>>): string {
  const names = machines.map(({ name }) => name)
  const hosts = `hosts: { ${names.map((name) => `${name}: ${name}`).join(', ')} }\n`
  return manifest
    .replace('environments:', `${hosts}environments:`)
    .replace('{ branch: main,', `{ branch: main, hosts: [${names.join(', ')}],`)
    .split('\n')
    .map((line) => {
      const more = placed[/^ {2}([a-z]+):/.exec(line)?.[1] ?? '']
      return more === undefined ? line : line.replace(/ }$/, `, ${more} }`)
    })
    .join('\n')
}

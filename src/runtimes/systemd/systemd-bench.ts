import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabHost } from '../../../lab/lab-host.ts'
import { openLab } from '../../../lab/lab.ts'
import { DEPLOY_USER, makeReady } from '../../../lab/ready-host.ts'
import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import { localHost } from '../../hosts/local/local-host.ts'
import { sshHost } from '../../hosts/ssh/ssh-host.ts'
import { Refusal } from '../../problem/problem.ts'
import type { Secret } from '../../secrets/secret.ts'
import type { Bench } from '../conformance.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { awaitReady } from '../ready.ts'
import type { Runtime, SlotRef, SlotReport, SlotSpec } from '../runtime.ts'
import { systemdRuntime } from './systemd-runtime.ts'

const SERVER = `
const { createServer } = require('node:http')
const [conduct, artifact] = process.argv.slice(2)
console.log('begins')
let asked = 0
if (conduct === 'exits') process.exit(1)
if (conduct === 'ignores-sigterm') process.on('SIGTERM', () => {})
if (conduct === 'works') setInterval(() => {}, 1000)
else createServer((request, response) => {
  const ready = conduct === 'never-ready' ? false : conduct === 'becomes-ready' ? (asked += 1) > 4 : true
  if (request.url === '/environment') return response.end(JSON.stringify(process.env))
  response.writeHead(ready ? 200 : 503)
  response.end(ready ? artifact : 'not ready')
}).listen(Number(process.env.PORT), '127.0.0.1')
`

/** One host of the lab, ready to run slots, for the tests of a file. */
export interface LabSystemd {
  readonly machine: LabHost
  /** The host as Drover sees it: over SSH, as the deploy user. */
  readonly host: Host
  close(): Promise<void>
}

export async function openLabSystemd(): Promise<LabSystemd> {
  const lab = await openLab({ hosts: 1 })
  const [machine] = lab.hosts
  assert.ok(machine !== undefined)
  await makeReady(machine)
  const folder = await mkdtemp(join(tmpdir(), 'drover-lab-'))
  const host = sshHost({ ...(await sshOptions(machine, folder)), folder: join(folder, 's') })
  return {
    machine,
    host,
    async close() {
      await host.close()
      await lab.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function sshOptions(
  machine: LabHost,
  folder: string,
): Promise<Omit<Parameters<typeof sshHost>[0], 'folder'>> {
  const configFile = join(folder, 'config')
  const { identityFile, knownHostsFile, port } = machine.ssh
  const { writeFile } = await import('node:fs/promises')
  await writeFile(
    configFile,
    [
      `Host ${machine.name}`,
      `  HostName ${machine.address}`,
      `  Port ${port}`,
      `  User ${DEPLOY_USER}`,
      `  IdentityFile ${identityFile}`,
      '  IdentitiesOnly yes',
      `  UserKnownHostsFile ${knownHostsFile}`,
      '',
    ].join('\n'),
  )
  const local = localHost()
  return { name: machine.name, destination: machine.name, configFile, run: (command, options) => local.run(command, options) }
}

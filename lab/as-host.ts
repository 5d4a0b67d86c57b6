import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../src/hosts/host.ts'
import { localHost } from '../src/hosts/local/local-host.ts'
import { sshHost } from '../src/hosts/ssh/ssh-host.ts'
import type { LabHost } from './lab-host.ts'

export type LabAddress = Pick<LabHost, 'name' | 'address' | 'ssh'>

/** A host of the lab as Drover sees it: over SSH, as this user. */
export async function asHost(machine: LabAddress, user: string): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), 'dlab-'))
  const configFile = join(folder, 'config')
  await writeFile(configFile, sshConfiguration(machine, user))
  const local = localHost()
  const host = sshHost({
    name: machine.name,
    destination: machine.name,
    folder: join(folder, 's'),
    configFile,
    run: (command, options) => local.run(command, options),
  })
  return {
    ...host,
    async close() {
      await host.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What a user would have in ~/.ssh/config for it, under its name in the lab. */
export function sshConfiguration({ name, address, ssh }: LabAddress, user: string): string {
  return `Host ${name}
  HostName ${address}
  Port ${ssh.port}
  User ${user}
  IdentityFile ${ssh.identityFile}
  IdentitiesOnly yes
  UserKnownHostsFile ${ssh.knownHostsFile}
`
}

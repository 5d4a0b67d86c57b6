import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from './lab.ts'
import { USER, identityOf, knownHostsOf } from './machine.ts'
import { RUNS } from './place.ts'
import type { LabPlace } from './place.ts'

const FILE = 'ssh_config'

/** An OpenSSH configuration (`ssh -F …`) that knows the hosts of the lab by their names. There for as long as the lab. */
export function sshConfig(lab: Pick<Lab, 'folder'>): string {
  return join(lab.folder, FILE)
}

export async function writeSshConfig(place: LabPlace): Promise<void> {
  const hosts = place.hosts.flatMap((host) => [
    `Host ${host.name}`,
    `  HostName ${host.address}`,
    `  User ${USER}`,
    `  IdentityFile "${identityOf(host)}"`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile "${knownHostsOf(host)}"`,
    '',
  ])
  await writeFile(join(RUNS, place.id, FILE), hosts.join('\n'))
}

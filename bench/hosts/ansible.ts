import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attempt } from './command.ts'
import { timed } from './contestant.ts'
import type { Contestant, Setting } from './contestant.ts'
import { installUnits } from './in-place.ts'

const FOLDER = '/opt/pakashop'

/** A play with the usual modules: source, and when that moved, packages, restart and readiness of one service after another. */
export function ansible({ stage, host }: Setting): Contestant {
  const folder = join(stage.folder, 'ansible')
  const play = (...more: string[]) =>
    timed(() =>
      attempt('ansible-playbook', ['deploy.yml', ...more], {
        cwd: folder,
        env: { ...process.env, HOME: stage.folder },
      }),
    )
  const commit = (back: number): string => `version=${stage.git('rev-parse', `production~${back}`)}`
  return {
    name: 'Ansible',
    prepare: async () => {
      await installUnits({ stage, host }, FOLDER)
      await cp(join(import.meta.dirname, 'ansible'), folder, { recursive: true })
      await writeFile(join(folder, 'inventory.yml'), inventory())
    },
    deploy: () => play(),
    rollback: () => play('-e', commit(2)),
    recover: () => play('-e', commit(1)),
  }

  /** JSON is YAML. */
  function inventory(): string {
    const { ssh, address } = host
    return JSON.stringify({
      pakashop: {
        hosts: { [address]: {} },
        vars: {
          ansible_user: ssh.user,
          ansible_ssh_private_key_file: ssh.identityFile,
          ansible_ssh_extra_args: `-F none -o StrictHostKeyChecking=yes -o UserKnownHostsFile=${ssh.knownHostsFile}`,
          repository: stage.gitUrl,
          folder: FOLDER,
          services: stage.services,
        },
      },
    })
  }
}

import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attempt } from './command.ts'
import { timed } from './contestant.ts'
import type { Contestant, Setting } from './contestant.ts'
import { installUnits } from './in-place.ts'
import { asRoot } from './on-host.ts'

const FOLDER = '/var/www/pakashop'

/** Folders of releases, `npm ci` in each service of each release, then restarts in the order of dependencies. */
export function capistrano({ stage, host }: Setting): Contestant {
  const folder = join(stage.folder, 'capistrano')
  const cap = (task: string) =>
    timed(() => attempt('cap', ['production', task], { cwd: folder, env: { ...process.env, HOME: stage.folder } }))
  return {
    name: 'Capistrano',
    prepare: async () => {
      await installUnits({ stage, host }, `${FOLDER}/current`)
      await asRoot(host, `mkdir -p ${FOLDER}; chown admin: ${FOLDER}`)
      await cp(join(import.meta.dirname, 'capistrano'), folder, { recursive: true })
      await writeFile(join(folder, 'setting.json'), JSON.stringify(setting()))
    },
    deploy: () => cap('deploy'),
    rollback: () => cap('deploy:rollback'),
    recover: () => cap('deploy:rollback'),
    cleanUp: async () => {
      await asRoot(host, 'systemctl reset-failed')
    },
  }

  function setting(): Record<string, unknown> {
    const { address, ssh } = host
    const { gitUrl: repository, services } = stage
    const { user, identityFile: key, knownHostsFile: known_hosts } = ssh
    return { repository, folder: FOLDER, address, user, key, known_hosts, services }
  }
}

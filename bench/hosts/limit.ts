import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quote } from '../../src/hosts/host.ts'
import { sshArguments } from '../../lab/login.ts'
import { attempt, run } from './command.ts'
import type { Ended } from './command.ts'
import { timed } from './contestant.ts'
import type { Act, Contestant, Setting } from './contestant.ts'
import { variables } from './fleet.ts'
import type { FleetService } from './fleet.ts'
import { server } from './in-place.ts'
import { asRoot, writingFiles } from './on-host.ts'

const FOLDER = '/opt/limit'
const SCRIPT = `sudo ${FOLDER}/limit.sh`
const SHARED = { node: 'service', go: 'service-go', python: 'service-python' }

/** For `coupon`, which is going to be broken, and for all of them: what the manifest gives them with Drover. */
const DEADLINES_S = { one: 8, all: 60 }

/**
 * The limit, put together by hand for this very fleet: one cold connection, sources and hard-linked packages, the new
 * processes beside the old on a second port, and an nginx that knows both ports for good. `ordered`: a tier of services
 * starts when the one below is ready.
 */
export function limit({ stage, host }: Setting, { ordered }: { readonly ordered: boolean }): Contestant {
  const socket = join(stage.folder, 'limit.sock')
  const shared = ['-o', 'ControlMaster=auto', '-o', 'ControlPersist=60', '-o', `ControlPath=${socket}`]
  const login = [...shared, ...sshArguments(host)]
  const script = ordered ? `sudo ORDERED=yes ${FOLDER}/limit.sh` : SCRIPT
  const ssh = (line: string): Promise<Ended> => attempt('ssh', [...login, line])
  const packed = join(stage.folder, 'limit-first.tar.zst')

  return {
    name: ordered ? 'limit, in tiers' : 'limit',
    prepare,
    deploy: () => cold(deploy),
    rollback: () => cold(() => ssh(`${script} back`)),
    warm: {
      keep: async () => void (await asRoot(host, `${FOLDER}/limit.sh keep`)),
      rollback: () => cold(() => ssh(`${script} swap`)),
      settle: async () => void (await asRoot(host, `${FOLDER}/limit.sh settle`)),
    },
  }

  /** Takes the time from a new connection on, and leaves none behind. */
  async function cold(work: () => Promise<Ended>): Promise<Act> {
    const act = await timed(work)
    await attempt('ssh', ['-O', 'exit', ...login])
    return act
  }

  async function deploy(): Promise<Ended> {
    const live = await ssh(`${script} live`)
    const [commit, ...rest] = live.stdout.trim().split('\n')
    const head = (await run('git', ['-C', stage.repository, 'rev-parse', 'HEAD'])).stdout.trim()
    if (live.exitCode !== 0 || commit === head) return live
    if (commit === '') return pipe(`cat ${quote(packed)}`, `first ${head}`)
    const running = new Set(rest)
    const changed = (await trees()).filter(([name, tree]) => !running.has(`${name} ${tree}`))
    const deadline = changed.length === 1 ? DEADLINES_S.one : DEADLINES_S.all
    return pipe(sources(changed), `release ${head} ${deadline} ${named(changed)}`)
  }

  /** Programs of this machine into a command of the script. */
  function pipe(program: string, command: string): Promise<Ended> {
    return attempt('bash', ['-c', `set -o pipefail; ${program} | ssh "$@"`, 'bash', ...login, `${script} ${command}`])
  }

  function sources(changed: readonly (readonly [string, string])[]): string {
    const paths = changed.map(([name]) => `services/${name}`).join(' ')
    return `git -C ${quote(stage.repository)} archive HEAD packages ${paths}`
  }

  /** A name for the content of each service: its own folder's and that of what it shares. */
  async function trees(): Promise<(readonly [string, string])[]> {
    const list = ['-C', stage.repository, 'ls-tree', 'HEAD', 'services/', 'packages/']
    const { stdout } = await run('git', list)
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
    const ids = new Map(lines.map(([, , id, path]) => [path, id]))
    return stage.services.map(({ name, language }) => {
      const both = `${ids.get(`services/${name}`)} ${ids.get(`packages/${SHARED[language]}`)}`
      return [name, createHash('sha256').update(both).digest('hex').slice(0, 12)]
    })
  }

  /** Also builds the first release, whose build counts for nobody. */
  async function prepare(): Promise<void> {
    const files: Record<string, string> = {
      [`${FOLDER}/services`]: table(stage.services),
      '/etc/limit/fleet.env': `${variables(stage.services, stage.stores).join('\n')}\n`,
      '/etc/nginx/conf.d/limit.conf': `include ${FOLDER}/upstreams.conf;\n${servers()}`,
    }
    for (const name of ['limit.sh', 'wait.py']) {
      files[`${FOLDER}/${name}`] = await readFile(join(import.meta.dirname, 'limit', name), 'utf8')
    }
    for (const service of stage.services) {
      files[`/etc/systemd/system/limit-${service.name}@.service`] = unit(service)
      for (const slot of ['a', 'b'] as const) {
        files[`/etc/limit/${service.name}.${slot}.env`] = `PORT=${portOf(service, slot)}\n`
      }
    }
    const finish = `cd ${FOLDER}; chmod 755 limit.sh; mkdir slots live; python3 -m venv pip
      ./limit.sh lay; systemctl daemon-reload; systemctl reload nginx`
    await asRoot(host, `${writingFiles(files)}${finish}`)
    const all = await trees()
    const build = `${sources(all)} | ssh "$@" > ${quote(packed)}`
    await run('bash', [
      '-c',
      `set -o pipefail; ${build}`,
      'bash',
      ...sshArguments(host),
      `${SCRIPT} pack ${named(all)}`,
    ])
  }

  /** Both ports for good, slot b as the spare of a: also for what a, being new, does not answer yet. */
  function servers(): string {
    const pass = 'proxy_next_upstream error timeout http_503 non_idempotent;'
    const addresses = [host.address, '127.0.0.1']
    return stage.services
      .flatMap(({ name, port }) => addresses.map((address) => server(name, `${address}:${port}`, pass)))
      .join('\n')
  }
}

function named(services: readonly (readonly [string, string])[]): string {
  return services.map((each) => each.join(':')).join(' ')
}

function portOf({ port }: FleetService, slot: 'a' | 'b'): number {
  return port + (slot === 'a' ? 10_000 : 20_000)
}

/** For bash: what the script knows of the fleet. */
function table(services: readonly FleetService[]): string {
  const rows = (values: (service: FleetService) => string | number): string =>
    services.map((service) => `[${service.name}]=${values(service)}`).join(' ')
  return `declare -A language=(${rows(({ language }) => language)})
declare -A tier=(${rows(({ tier }) => tier)})
declare -A port_a=(${rows((service) => portOf(service, 'a'))})
declare -A port_b=(${rows((service) => portOf(service, 'b'))})
TIERS="${[...new Set(services.map(({ tier }) => tier))].toSorted((a, b) => a - b).join(' ')}"
`
}

function unit({ name, language }: FleetService): string {
  const place = `${FOLDER}/slots/${name}.%i`
  const program = {
    node: '/usr/local/bin/node server.js',
    go: `${place}/bin/${name}`,
    python: '/usr/bin/python3 main.py',
  }
  return `[Unit]
Description=Pakashop ${name} in slot %i
After=network.target

[Service]
User=admin
WorkingDirectory=${place}
EnvironmentFile=/etc/limit/fleet.env
EnvironmentFile=/etc/limit/${name}.%i.env
Environment=PYTHONPATH=.packages
ExecStart=${program[language]}
Restart=on-failure
RestartSec=1
`
}

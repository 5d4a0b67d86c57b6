import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'
import { PROJECT } from '../../demo/stage.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { sshConfig } from '../../lab/ssh-config.ts'
import { attempt } from './command.ts'
import type { Ended } from './command.ts'
import { timed } from './contestant.ts'
import type { Act, Contestant } from './contestant.ts'
import type { HostStage } from './host-stage.ts'
import { edge } from './in-place.ts'
import { asRoot, writingFiles } from './on-host.ts'

/** Long enough to roll back within it, short enough to wait for its end. */
const WARM = '12s'

/** Runs a command of Drover's on this stage, as a person does in the repository. */
export type DroverCommand = (...argv: string[]) => Promise<Ended>

/** Drover with its usual ways: bootstrapped hosts, a control plane on this machine, the command line as its client. */
export function drover(stage: HostStage, hosts: readonly LabHost[]): Contestant {
  const command = droverCommand(stage)
  return {
    name: 'Drover',
    prepare: async () => {
      await declareHosts(stage, hosts, WARM)
      for (const host of hosts) {
        const nginx = { '/etc/nginx/conf.d/pakashop.conf': edge(stage.services, host.address) }
        await asRoot(host, `${writingFiles(nginx)}systemctl reload nginx`)
      }
      await expect(command('hosts', 'bootstrap', ...hosts.map(({ name }) => name), '--as', 'admin', '--yes'))
    },
    deploy: () => released(() => command('deploy', 'production', '--json')),
    rollback: () => released(() => command('rollback', 'production', '--json')),
    cool: () => untilCool(command),
    warm: {
      keep: () => Promise.resolve(),
      rollback: () => released(() => command('rollback', 'production', '--json')),
      settle: () => untilCool(command),
    },
    dispose: async () => {
      await command('teardown', 'production', '--yes', '--quiet')
      await command('stop', '--quiet')
    },
  }
}

export function droverCommand(stage: HostStage): DroverCommand {
  const env = { ...stage.environment, DROVER_SSH_CONFIG: sshConfig(stage.lab) }
  return (...argv) => attempt(join(PROJECT, 'bin/drover'), argv, { cwd: stage.repository, env })
}

/** In the manifest. `warm`: how long an old set runs on. */
export async function declareHosts(stage: HostStage, hosts: readonly LabHost[], warm: string): Promise<void> {
  const manifest = join(stage.repository, 'drover.yaml')
  const text = await readFile(manifest, 'utf8')
  const declared = hosts.map(({ name }) => `  ${name}: drover@${name}\n`).join('')
  const named = `production:\n    hosts: [${hosts.map(({ name }) => name).join(', ')}]\n`
  await writeFile(
    manifest,
    text
      .replace('environments:\n', `hosts:\n${declared}\nenvironments:\n`)
      .replace('production:\n', named)
      .replace('warm: 5m', `warm: ${warm}`),
  )
  stage.commit('Hosts')
}

interface EventLine {
  readonly event?: { readonly at: number; readonly body: { readonly kind: string; readonly phase?: string } }
  readonly release?: { readonly switchedAt?: number }
}

/** A release counts until its set is live, which its record says; its builds are told apart. */
async function released(work: () => Promise<Ended>): Promise<Act> {
  const began = Date.now()
  let stdout = ''
  const act = await timed(async () => {
    const ended = await work()
    stdout = ended.stdout
    return ended
  })
  const lines = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as EventLine] : []))
  const phases = lines.flatMap(({ event }) => (event?.body.kind === 'phase' ? [event] : []))
  const build = phases.findIndex(({ body }) => body.phase === 'build')
  const buildSeconds = build < 0 ? 0 : (phases[build + 1]!.at - phases[build]!.at) / 1000
  const switchedAt = lines.findLast(({ release }) => release !== undefined)?.release?.switchedAt
  if (act.exitCode !== 0 || switchedAt === undefined) return { ...act, buildSeconds }
  return { ...act, buildSeconds, seconds: (switchedAt - began) / 1000, endSeconds: act.seconds }
}

/** Until nothing runs any more but what is live. */
async function untilCool(command: DroverCommand): Promise<void> {
  for (let tries = 0; tries < 90; tries++) {
    const { stdout } = await expect(command('status', 'production', '--json'))
    if (!stdout.includes('"warm":true')) return
    await delay(1_000)
  }
  throw new Error('the set before never stopped')
}

async function expect(work: Promise<Ended>): Promise<Ended> {
  const ended = await work
  if (ended.exitCode !== 0) throw new Error(`drover ended with ${ended.exitCode}:\n${ended.stdout}\n${ended.stderr}`)
  return ended
}

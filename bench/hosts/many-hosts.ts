import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import type { Act, Contestant } from './contestant.ts'
import { declareHosts, drover, droverCommand } from './drover.ts'
import type { HostStage } from './host-stage.ts'
import { grid, middle, range } from './report.ts'

const CHANGES = { 'nothing changed': undefined, 'one service changed': 'coupon', 'all 19 changed': 'all' } as const

export interface ManyHostsOptions {
  readonly stage: HostStage
  readonly rounds: number
  readonly say: (line: string) => void
}

/** What a bare host takes to be ready, and what three hosts cost against one. The hosts of the stage are bare. */
export async function measureManyHosts({ stage, rounds, say }: ManyHostsOptions): Promise<string> {
  const { hosts } = stage.lab
  const tool = drover(stage, hosts.slice(0, 1))
  try {
    await declareHosts(stage, hosts, '3s')
    say('   bootstrap of a bare host')
    const bootstrap = await bootstrapTwice(stage, say)
    await place(
      stage,
      hosts.slice(0, 1).map(({ name }) => name),
    )
    expectKept(await tool.deploy())
    const one = await measure({ stage, rounds, say }, tool, 'one host')
    await place(
      stage,
      hosts.map(({ name }) => name),
    )
    expectKept(await tool.deploy())
    const three = await measure({ stage, rounds, say }, tool, 'three hosts')
    return [bootstrap, compare(one, three)].join('\n\n')
  } finally {
    await tool.dispose?.()
  }
}

async function bootstrapTwice(stage: HostStage, say: (line: string) => void): Promise<string> {
  const command = droverCommand(stage)
  const [first, ...others] = stage.lab.hosts.map(({ name }) => name)
  const rows: string[][] = []
  for (const run of ['of a bare host', 'again']) {
    const began = performance.now()
    const { exitCode, stdout, stderr } = await command('hosts', 'bootstrap', first!, '--as', 'admin', '--yes', '--json')
    const seconds = (performance.now() - began) / 1000
    if (exitCode !== 0) throw new Error(`the bootstrap ended with ${exitCode}:\n${stdout}${stderr}`)
    const changed = /"changed":(\d+)/.exec(stdout)?.[1] ?? '?'
    rows.push([`\`drover hosts bootstrap\` ${run}`, seconds.toFixed(2), changed])
    say(`   bootstrap ${run}: ${seconds.toFixed(2)} s, ${changed} changed`)
  }
  await command('hosts', 'bootstrap', ...others, '--as', 'admin', '--yes')
  return grid(['', 's', 'things changed'], rows)
}

/** On which hosts the environment runs. */
async function place(stage: HostStage, names: readonly string[]): Promise<void> {
  const manifest = join(stage.repository, 'drover.yaml')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace(/^ {4}hosts: \[.*\]$/m, `    hosts: [${names.join(', ')}]`))
  if (stage.git('status', '--porcelain') !== '') stage.commit(`On ${names.join(', ')}`)
}

/** Seconds by kind of change, without builds. */
async function measure(
  { stage, rounds, say }: ManyHostsOptions,
  tool: Contestant,
  where: string,
): Promise<Map<string, number[]>> {
  const seconds = new Map<string, number[]>()
  for (const [name, service] of Object.entries(CHANGES)) {
    say(`   ${where}: ${name}`)
    for (let round = 0; round < rounds; round++) {
      if (service !== undefined) {
        await run(join(stage.repository, 'scripts/bump.sh'), [service, `3.0.${Date.now()}`])
        stage.commit(`${service} changed`)
      }
      const act = await tool.deploy()
      expectKept(act)
      seconds.set(name, [...(seconds.get(name) ?? []), act.seconds - (act.buildSeconds ?? 0)])
      await tool.cool?.()
    }
  }
  return seconds
}

function compare(one: ReadonlyMap<string, readonly number[]>, three: ReadonlyMap<string, readonly number[]>): string {
  const rows = [...one].map(([name, before]) => {
    const after = three.get(name) ?? []
    return [name, range(before), range(after), `${(middle(after) / middle(before)).toFixed(2)} ×`]
  })
  return grid(['Drover, builds left out, s: median [least to most]', 'one host', 'three hosts', 'ratio'], rows)
}

function expectKept({ exitCode, said }: Act): void {
  if (exitCode !== 0) throw new Error(`the release ended with ${exitCode}:\n${said}`)
}

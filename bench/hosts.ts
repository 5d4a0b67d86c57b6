import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PROJECT } from '../demo/stage.ts'
import { whatIsMissing } from '../lab/needs.ts'
import { ansible } from './hosts/ansible.ts'
import { capistrano } from './hosts/capistrano.ts'
import { attempt } from './hosts/command.ts'
import type { Contestant, Setting } from './hosts/contestant.ts'
import { drover } from './hosts/drover.ts'
import { setHostStage } from './hosts/host-stage.ts'
import type { HostStage } from './hosts/host-stage.ts'
import { limit } from './hosts/limit.ts'
import { measureManyHosts } from './hosts/many-hosts.ts'
import { NOTES } from './hosts/notes.ts'
import { report } from './hosts/report.ts'
import type { MeasuredFigure } from './hosts/report.ts'
import { SCENARIOS } from './hosts/scenarios.ts'
import { seed } from './hosts/seed.ts'
import { underLoad } from './hosts/under-load.ts'

const PAGE = join(PROJECT, 'docs/benchmarks-hosts.md')
const USAGE = `node bench/hosts.ts [options]

Pakashop on a host of the lab, by Drover, by other tools and by hand, one after the other, under the same traffic.
Needs root on Linux. Prints tables in Markdown.

  --only <names>       of limit, limit-tiers, drover, deploy.sh, capistrano, ansible, hosts; default: all that are
                       installed (tools/bench-packages installs Capistrano and Ansible)
  --scenarios <words>  those that begin so; default: all. The first deploy is always made
  --rounds <n>         of the limit and Drover; default 3
  --peer-rounds <n>    of the others, which take minutes; default 1
  --rate <n>           requests per second over all services; default 190
  --write              also write docs/benchmarks-hosts.md
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    scenarios: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    'peer-rounds': { type: 'string', default: '1' },
    rate: { type: 'string', default: '190' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Entry {
  readonly make: (setting: Setting) => Contestant
  /** The program that has to be there. */
  readonly needs?: string
  readonly peer?: true
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  limit: { make: (setting) => limit(setting, { ordered: false }) },
  'limit-tiers': { make: (setting) => limit(setting, { ordered: true }) },
  drover: { make: ({ stage, host }) => drover(stage, [host]) },
  'deploy.sh': { make: seed, peer: true },
  capistrano: { make: capistrano, needs: 'cap', peer: true },
  ansible: { make: ansible, needs: 'ansible-playbook', peer: true },
}

let onStage: HostStage | undefined

async function main(): Promise<void> {
  const asked = values.only === '' ? [...Object.keys(ENTRIES), 'hosts'] : values.only.split(',')
  const unknown = asked.filter((name) => ENTRIES[name] === undefined && name !== 'hosts')
  if (values.help || unknown.length > 0) return say(USAGE)
  const missing = await whatIsMissing()
  if (missing.length > 0) return say(`Not measured: hosts of the lab cannot be here: ${missing.join('; ')}`)
  const began = Date.now()
  const figures = await compared(asked.filter((name) => name !== 'hosts'))
  const parts = [heading(), ...(figures.length === 0 ? [] : [report(figures), NOTES])]
  // Half an hour of measurements is not lost to what comes after.
  await tell(parts)
  if (asked.includes('hosts')) {
    const last = await severalHosts()
    await tell([...parts, last], last)
  }
  say(`\n(${Math.round((Date.now() - began) / 1000)} s)`)
}

/** Says what is new, and writes all of the page. */
async function tell(parts: readonly string[], news = parts.join('\n\n')): Promise<void> {
  say(`\n${news}`)
  if (values.write) await writeFile(PAGE, `${parts.join('\n\n')}\n`)
}

/** Every contestant on a host that is as new. */
async function compared(names: readonly string[]): Promise<MeasuredFigure[]> {
  if (names.length === 0) return []
  const stage = await enter({ hosts: 1, bare: false })
  const host = stage.lab.hosts[0]!
  const figures: MeasuredFigure[] = []
  for (const [index, name] of names.entries()) {
    const { make, needs, peer } = ENTRIES[name]!
    if (needs !== undefined && !(await isInstalled(needs))) {
      say(`${name}: ${needs} is not installed; tools/bench-packages installs it`)
      continue
    }
    if (index > 0) await host.reset()
    say(name)
    const rounds = Number(peer === true ? values['peer-rounds'] : values.rounds)
    const contestant = make({ stage, host })
    const requestsPerSecond = Number(values.rate)
    figures.push(...(await underLoad({ stage, host, contestant, scenarios: chosen(), rounds, requestsPerSecond, say })))
  }
  await leave()
  return figures
}

async function severalHosts(): Promise<string> {
  const stage = await enter({ hosts: 3, bare: true })
  say('hosts')
  const text = await measureManyHosts({ stage, rounds: Number(values.rounds), say })
  await leave()
  return text
}

function chosen(): (typeof SCENARIOS)[number][] {
  const words = values.scenarios.split(',')
  return SCENARIOS.filter((scenario) => words.some((word) => scenario.startsWith(word)))
}

async function isInstalled(program: string): Promise<boolean> {
  return (await attempt('sh', ['-c', 'command -v "$1"', 'sh', program])).exitCode === 0
}

async function enter(options: { hosts: number; bare: boolean }): Promise<HostStage> {
  onStage = await setHostStage({ ...options, say })
  return onStage
}

async function leave(): Promise<void> {
  await onStage?.strike()
  onStage = undefined
}

function heading(): string {
  return `# One lab host, 19 services, ${values.rate} requests/s

Printed by \`node bench/hosts.ts\` on ${availableParallelism()} cores, which the host, the tool and the traffic share. Read ratios: seconds
depend on the machine. Limit and Drover: ${values.rounds} rounds; the others: ${values['peer-rounds']}.`
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void leave().finally(() => process.exit(130)))
}
try {
  await main()
} finally {
  await leave()
}

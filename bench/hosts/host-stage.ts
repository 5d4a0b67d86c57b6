import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { PROJECT, rewrite, setStage } from '../../demo/stage.ts'
import type { Stage } from '../../demo/stage.ts'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import { run } from './command.ts'
import { migrations, readFleet, withoutPrisma } from './fleet.ts'
import type { FleetService } from './fleet.ts'
import { furnishedLayer } from './furniture.ts'

/** Hosts of the lab, and on this machine what they reach: Pakashop's repository, its PostgreSQL and its Redis. */
export interface HostStage extends Omit<Stage, 'strike'> {
  readonly lab: Lab
  readonly services: readonly FleetService[]
  /** Of the repository, as the hosts reach it. */
  readonly gitUrl: string
  /** DATABASE_URL and REDIS_URL, as the hosts reach them. */
  readonly stores: Readonly<Record<string, string>>
  strike(): Promise<void>
}

export interface HostStageOptions {
  readonly hosts: number
  /** As a person rents them; otherwise with everything that the tools build with. */
  readonly bare: boolean
  readonly say: (line: string) => void
}

export async function setHostStage({ hosts, bare, say }: HostStageOptions): Promise<HostStage> {
  const layers = bare ? [] : [await furnishedLayer(say)]
  const ends: (() => Promise<unknown>)[] = []
  const strike = async (): Promise<void> => {
    for (const end of ends.splice(0).toReversed()) await end()
  }
  try {
    const lab = await openLab({ hosts, say, layers })
    ends.push(() => lab.close())
    const stage = await setStage({ address: lab.address })
    ends.push(() => stage.strike())
    await simplify(stage)
    await migrate(stage.databaseUrl)
    const services = await readFleet(stage.repository)
    const stores = await storesOf(stage)
    const { daemon, gitUrl } = await serveGit(lab.address, stage)
    ends.push(() => stop(daemon))
    const environment = { ...stage.environment, PATH: withoutShims(stage.environment['PATH']) }
    return { ...stage, environment, lab, services, gitUrl, stores, strike }
  } catch (error) {
    await strike()
    throw error
  }
}

/** As on a plain Debian: a shim of a version manager takes a fifth of a second for each question that is asked of Python. */
function withoutShims(path = ''): string {
  return path
    .split(':')
    .filter((folder) => !/\/shims\/?$/.test(folder))
    .join(':')
}

/**
 * No migration; and nothing that must not run twice: to swap such a service takes a pause of its intake, of which no other
 * tool here, nor the limit, knows anything.
 */
async function simplify(stage: Stage): Promise<void> {
  await withoutPrisma(stage.repository)
  await rewrite(join(stage.repository, 'drover.yaml'), (text) =>
    text
      .replaceAll(/, singleton: \{[^}]*\}/g, '')
      // So long the limit waits for it as well.
      .replace('coupon: { port: 3008 }', 'coupon: { port: 3008, ready: { path: /health/ready, timeout: 8s } }')
      .replace(/( {2}backend: \{ port: 3080,).* smoke:/, '$1 smoke:')
      .replace(/ {4}variables: \{ PRISMA.*\n/, ''),
  )
  // In the first commit, so that nobody clones the tool.
  stage.git('add', '-A')
  stage.git('commit', '-q', '--amend', '--no-edit')
  stage.git('branch', '-f', 'main')
}

async function migrate(databaseUrl: string): Promise<void> {
  const client = new Client(databaseUrl)
  await client.connect()
  for (const sql of await migrations(join(PROJECT, 'examples/pakashop'))) await client.query(sql)
  await client.end()
}

async function storesOf(stage: Stage): Promise<Record<string, string>> {
  const secrets = await readFile(join(stage.home, 'secrets/pakashop/production.env'), 'utf8')
  return Object.fromEntries([...secrets.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, url]) => [name!, url!]))
}

async function serveGit(address: string, stage: Stage): Promise<{ daemon: ChildProcess; gitUrl: string }> {
  const folder = (await run('git', ['--exec-path'])).stdout.trim()
  const port = 9418
  const where = [`--listen=${address}`, `--port=${port}`, `--base-path=${stage.folder}`]
  // Started itself and not by `git`, so that it is what its id ends.
  const daemon = spawn(join(folder, 'git-daemon'), ['--reuseaddr', '--export-all', ...where, stage.repository], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await once(daemon, 'spawn')
  const gitUrl = `git://${address}:${port}/pakashop`
  await run('sh', ['-c', 'for _ in $(seq 50); do git ls-remote -q "$1" && exit; sleep 0.1; done; exit 1', 'sh', gitUrl])
  return { daemon, gitUrl }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

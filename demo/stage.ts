import { execFileSync } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endProcessesBelow } from './leftovers.ts'
import { startStores } from './stores.ts'

export const PROJECT = join(import.meta.dirname, '..')
const EXAMPLE = join(PROJECT, 'examples/pakashop')
const ENGINE = join(EXAMPLE, 'tools/prisma-engine')

/** A scratch folder with Pakashop in a git repository of its own, its PostgreSQL and Redis, and a home for Drover. */
export interface Stage {
  readonly folder: string
  readonly repository: string
  readonly home: string
  /** For every `drover` and every tool that it calls. */
  readonly environment: NodeJS.ProcessEnv
  /** Added to every port of the document, when those are taken on this machine. */
  readonly portOffset: number
  readonly databaseUrl: string
  git(...argv: string[]): string
  /** Commits what was edited, on the branch production. */
  commit(message: string): void
  /** Ends the databases and removes the folder; Drover itself has to be stopped before. */
  strike(): Promise<void>
}

export interface StageOptions {
  /** Of this machine, as the hosts reach it that the fleet is going to run on. Absent: it runs here. */
  readonly address?: string
}

export async function setStage({ address }: StageOptions = {}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-demo-'))
  // PostgreSQL runs as another user when this is root.
  await chmod(folder, 0o755)
  try {
    return await furnish(folder, address)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function furnish(folder: string, address: string | undefined): Promise<Stage> {
  const repository = join(folder, 'pakashop')
  const home = join(folder, 'drover')
  const environment = {
    ...process.env,
    DROVER_HOME: home,
    PATH: `${join(PROJECT, 'tools/pm2/node_modules/.bin')}:${process.env['PATH']}`,
  }
  const portOffset = address === undefined ? await freeOffset(await portsOf(join(EXAMPLE, 'drover.yaml'))) : 0
  await cp(EXAMPLE, repository, { recursive: true, filter: (source) => !source.includes('node_modules') })
  await adaptManifest(repository, portOffset)
  if (address !== undefined) await adaptToHosts(repository)
  const git = gitIn(repository)
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  // With what it is made of, which a repository usually leaves out.
  if (address !== undefined) git('add', '--force', 'tools/prisma-engine')
  git('commit', '-q', '-m', 'Pakashop, as its document describes it')
  git('checkout', '-q', '-b', 'production')

  const stores = await startStores(folder, address ?? '127.0.0.1')
  const { databaseUrl } = stores
  await writeSecrets(home, { DATABASE_URL: databaseUrl, REDIS_URL: stores.redisUrl })
  return {
    folder,
    repository,
    home,
    environment,
    portOffset,
    databaseUrl,
    git,
    commit: (message) => {
      git('add', '-A')
      git('commit', '-q', '-m', message)
    },
    strike: async () => {
      await stores.stop()
      await endProcessesBelow(folder)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function gitIn(repository: string): Stage['git'] {
  const identity = ['-c', 'user.name=Demo', '-c', 'user.email=demo@example.org', '-c', 'commit.gpgsign=false']
  return (...argv) => execFileSync('git', ['-C', repository, ...identity, ...argv], { encoding: 'utf8' }).trim()
}

/** Production as on a demo stage: a shorter watch, a shorter patience with the service that is going to be broken, free ports, and the way to migrate where Prisma's engine cannot be downloaded. */
async function adaptManifest(repository: string, portOffset: number): Promise<void> {
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ENGINE,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const variables = `{ PRISMA_SCHEMA_ENGINE_BINARY: ${JSON.stringify(join(ENGINE, 'schema-engine.js'))} }`
  const production = `  production:\n    branch: production\n    ports: ${portOffset}\n    variables: ${variables}\n`
  await rewrite(join(repository, 'drover.yaml'), (text) =>
    text
      .replace('  production:\n    branch: production\n', production)
      .replace('verify: { watch: 10s }', 'verify: { watch: 4s }')
      .replace('coupon: { port: 3008 }', 'coupon: { port: 3008, ready: { path: /health/ready, timeout: 8s } }'),
  )
}

/**
 * Hosts have nothing of this machine's, and no way out: Prisma's engine travels with the service that migrates. One
 * environment is enough.
 */
async function adaptToHosts(repository: string): Promise<void> {
  await cp(ENGINE, join(repository, 'tools/prisma-engine'), { recursive: true })
  await rewrite(join(repository, 'drover.yaml'), (text) =>
    text
      .replace(JSON.stringify(join(ENGINE, 'schema-engine.js')), '../../tools/prisma-engine/schema-engine.js')
      .replace('backend: { port: 3080,', 'backend: { port: 3080, shared: [packages/service, tools/prisma-engine],')
      .replace(/ {2}staging:\n(?: {4}.*\n)+/, '')
      .replace('    ports: 0\n', '')
      // Nothing is going to be broken so that it never gets ready.
      .replace(', ready: { path: /health/ready, timeout: 8s }', ''),
  )
}

/** Changes the text of a file. */
export async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')))
}

async function portsOf(manifest: string): Promise<number[]> {
  const text = await readFile(manifest, 'utf8')
  return [...text.matchAll(/port: (\d+)/g)].map((match) => Number(match[1]))
}

/** 0 when the document's own ports are free here, else the first thousand that is. */
async function freeOffset(ports: readonly number[]): Promise<number> {
  for (let offset = 0; offset <= 4000; offset += 200) {
    const slots = ports.flatMap((port) => [port + offset, port + offset + 10_000, port + offset + 20_000])
    if ((await Promise.all(slots.map(isFree))).every(Boolean)) return offset
  }
  throw new Error('no free ports for 19 services were found between 3000 and 32000')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function writeSecrets(home: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(home, 'secrets/pakashop')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(home, 0o755)
  const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'\n`)
  await writeFile(join(folder, 'production.env'), lines.join(''), { mode: 0o600 })
}

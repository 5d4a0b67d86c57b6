import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { endProcessesBelow } from './leftovers.ts'
import { startEmbeddedPostgres } from '../src/journal/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../src/journal/embedded-postgres.ts'

export const PROJECT = join(import.meta.dirname, '..')
const EXAMPLE = join(PROJECT, 'examples/pakashop')

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

export async function setStage(): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-demo-'))
  // PostgreSQL runs as another user when this is root.
  await chmod(folder, 0o755)
  const repository = join(folder, 'pakashop')
  const home = join(folder, 'drover')
  const environment = {
    ...process.env,
    DROVER_HOME: home,
    PATH: `${join(PROJECT, 'tools/pm2/node_modules/.bin')}:${process.env['PATH']}`,
  }
  const portOffset = await freeOffset(await portsOf(join(EXAMPLE, 'drover.yaml')))
  await cp(EXAMPLE, repository, { recursive: true, filter: (source) => !source.includes('node_modules') })
  await adaptManifest(repository, portOffset)
  const git = gitIn(repository)
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('commit', '-q', '-m', 'Pakashop, as its document describes it')
  git('checkout', '-q', '-b', 'production')

  const postgres = await startEmbeddedPostgres({ folder: join(folder, 'database') })
  const databaseUrl = await makeDatabase(postgres)
  const redis = await startRedis(folder)
  await writeSecrets(home, { DATABASE_URL: databaseUrl, REDIS_URL: `redis://127.0.0.1:${redis.port}` })
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
      redis.process.kill('SIGTERM')
      await once(redis.process, 'exit')
      await postgres.stop()
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
  const file = join(repository, 'drover.yaml')
  const engine = join(EXAMPLE, 'tools/prisma-engine')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: engine,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const text = await readFile(file, 'utf8')
  const variables = `{ PRISMA_SCHEMA_ENGINE_BINARY: ${JSON.stringify(join(engine, 'schema-engine.js'))} }`
  const production = `  production:\n    branch: production\n    ports: ${portOffset}\n    variables: ${variables}\n`
  await writeFile(
    file,
    text
      .replace('  production:\n    branch: production\n', production)
      .replace('verify: { watch: 10s }', 'verify: { watch: 4s }')
      .replace('coupon: { port: 3008 }', 'coupon: { port: 3008, ready: { path: /health/ready, timeout: 8s } }'),
  )
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

async function makeDatabase(postgres: EmbeddedPostgres): Promise<string> {
  const client = new Client(postgres.url.open())
  await client.connect()
  await client.query('create database pakashop')
  await client.end()
  const url = new URL(postgres.url.open())
  url.pathname = '/pakashop'
  return url.href
}

async function startRedis(folder: string): Promise<{ process: ChildProcess; port: number }> {
  const port = await anyPort()
  const data = join(folder, 'redis')
  await mkdir(data)
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const chunk of child.stdout) if (String(chunk).includes('Ready to accept connections')) break
  child.stdout.resume()
  return { process: child, port }
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function writeSecrets(home: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(home, 'secrets/pakashop')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(home, 0o755)
  const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'\n`)
  await writeFile(join(folder, 'production.env'), lines.join(''), { mode: 0o600 })
}

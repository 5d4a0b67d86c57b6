import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { startEmbeddedPostgres } from '../src/journal/embedded-postgres.ts'

/** Pakashop's PostgreSQL and Redis. */
export interface Stores {
  readonly databaseUrl: string
  readonly redisUrl: string
  stop(): Promise<void>
}

/** Two sets of 19 services on each of two hosts, two connections each. */
const CONNECTIONS = 300

/** They listen on `address`, with a password each, and keep what they hold in `folder`. */
export async function startStores(folder: string, address: string): Promise<Stores> {
  const accessFile = join(folder, 'pg_hba.conf')
  await writeFile(accessFile, 'host all all 127.0.0.1/32 scram-sha-256\nhost all all samenet scram-sha-256\n')
  const postgres = await startEmbeddedPostgres({
    folder: join(folder, 'database'),
    settings: {
      hba_file: accessFile,
      listen_addresses: [...new Set(['127.0.0.1', address])].join(','),
      max_connections: String(CONNECTIONS),
    },
  })
  try {
    const redis = await startRedis(join(folder, 'redis'), address)
    return {
      databaseUrl: await makeDatabase(postgres.url.open(), address),
      redisUrl: redis.url,
      stop: async () => {
        await end(redis.process)
        await postgres.stop()
      },
    }
  } catch (error) {
    await postgres.stop()
    throw error
  }
}

/** Without TLS, which the Go driver wants to be told. */
async function makeDatabase(server: string, address: string): Promise<string> {
  const client = new Client(server)
  await client.connect()
  await client.query('create database pakashop')
  await client.end()
  const url = new URL(server)
  url.hostname = address
  url.pathname = '/pakashop'
  url.searchParams.set('sslmode', 'disable')
  return url.href
}

async function startRedis(folder: string, address: string): Promise<{ process: ChildProcess; url: string }> {
  const port = await anyPort()
  const password = randomBytes(16).toString('hex')
  await mkdir(folder)
  // Configured by its stdin, so that the password stands in no list of processes; and not reached by Ctrl-C.
  const child = spawn('redis-server', ['-'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  child.stdin.end(`port ${port}\nbind ${address}\nrequirepass ${password}\nsave ""\ndir ${folder}\n`)
  for await (const chunk of child.stdout) if (String(chunk).includes('Ready to accept connections')) break
  child.stdout.resume()
  return { process: child, url: `redis://:${password}@${address}:${port}` }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
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

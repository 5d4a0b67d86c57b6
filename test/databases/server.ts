import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { quote } from '../../src/hosts/host.ts'
import { startEmbeddedPostgres } from '../../src/journal/embedded-postgres.ts'
import { Secret } from '../../src/secrets/secret.ts'

/** A PostgreSQL server for one test file, and databases on it for single tests. */
export interface TestServer {
  /** Owned by a user without privileges, as an application's is. Closed with the server. */
  database(): Promise<TestDatabase>
  stop(): Promise<void>
}

export interface TestDatabase {
  readonly url: Secret
  readonly password: string
  /** A folder to run commands in, the same for all databases of the server. */
  readonly folder: string
  /** The command line of a program that runs the SQL it is given; see {@link TOOL}. */
  tool(...words: string[]): string
  /** A session of the application; ended with the server. */
  session(applicationName?: string): Promise<Client>
  /** The first column of what a query finds, asked by somebody who may see and end all sessions. */
  ask(query: string): Promise<unknown[]>
}

/**
 * Stands in for a migration tool: `tool <mode>… <sql>…`. It runs each statement, in autocommit. Modes: `deaf` takes
 * neither PGOPTIONS nor PGAPPNAME, as engines that are not built on libpq do; `record=<name>` keeps `_prisma_migrations` as
 * Prisma does, and does nothing when that migration is finished; `retry` goes on when a statement is cancelled.
 */
const TOOL = `
import pg from '${import.meta.resolve('pg')}'
const words = process.argv.slice(2)
const modes = new Set()
let name
while (/^(deaf|retry|record=.*)$/.test(words[0] ?? '')) {
  const mode = words.shift()
  if (mode.startsWith('record=')) name = mode.slice(7)
  else modes.add(mode)
}
if (modes.has('deaf')) for (const variable of ['PGOPTIONS', 'PGAPPNAME']) delete process.env[variable]
const client = new pg.Client(process.env.DATABASE_URL)
client.on('error', () => {})
await client.connect()
if (name !== undefined) {
  await client.query('create table if not exists _prisma_migrations (id serial, migration_name text, started_at timestamptz default now(), finished_at timestamptz, rolled_back_at timestamptz, logs text)')
  const { rows } = await client.query('select finished_at from _prisma_migrations where migration_name = $1 and rolled_back_at is null', [name])
  if (rows[0]?.finished_at) process.exit(0)
  if (rows[0]) { console.error('P3009: ' + name + ' failed before'); process.exit(1) }
  await client.query('insert into _prisma_migrations (migration_name) values ($1)', [name])
}
for (const sql of words) {
  for (;;) {
    try {
      console.log('runs ' + sql)
      await client.query(sql)
      break
    } catch (error) {
      console.error(error.message + (error.detail ? ' DETAIL ' + error.detail : ''))
      if (modes.has('retry') && error.code === '57014') continue
      if (name !== undefined) await client.query('rollback; ').then(() => client.query('update _prisma_migrations set logs = $2 where migration_name = $1', [name, 'ERROR: ' + error.message + '\\nDETAIL: ' + error.detail]))
      process.exit(1)
    }
  }
}
if (name !== undefined) await client.query('update _prisma_migrations set finished_at = clock_timestamp() where migration_name = $1', [name])
await client.end()
`

export async function startTestServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-databases-'))
  // As root the server runs as another user; were the folder closed, its data would lie elsewhere and stay.
  await chmod(folder, 0o711)
  const server = await startEmbeddedPostgres({ folder: join(folder, 'postgres') })
  const clients: Client[] = []
  const tool = join(folder, 'tool.mjs')
  await writeFile(tool, TOOL)

  async function open(url: string, applicationName?: string): Promise<Client> {
    const client = new Client({
      connectionString: url,
      ...(applicationName === undefined ? {} : { application_name: applicationName }),
    })
    client.on('error', () => {})
    clients.push(client)
    await client.connect()
    return client
  }

  async function database(): Promise<TestDatabase> {
    const name = `shop_${randomBytes(6).toString('hex')}`
    const password = `pass-${randomBytes(9).toString('hex')}`
    const url = new URL(server.url.open())
    const root = await open(url.href)
    await root.query(`create role ${name} login password '${password}'`)
    await root.query(`create database ${name} owner ${name}`)
    url.pathname = `/${name}`
    const admin = await open(url.href)
    url.username = name
    url.password = password
    return {
      url: new Secret(url.href),
      password,
      folder,
      tool: (...words) => [process.execPath, tool, ...words].map(quote).join(' '),
      session: (applicationName) => open(url.href, applicationName),
      ask: async (query) => (await admin.query({ text: query, rowMode: 'array' })).rows.map((row: unknown[]) => row[0]),
    }
  }

  return {
    database,
    async stop() {
      await Promise.all(clients.map((client) => client.end().catch(() => {})))
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

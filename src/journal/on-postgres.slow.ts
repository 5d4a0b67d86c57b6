import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { databaseSuite } from '../../test/journal/database-suite.ts'
import { Secret } from '../secrets/secret.ts'
import { engineConformance } from './conformance.ts'
import { connect } from './database.ts'
import { dbosEngine } from './dbos/dbos-engine.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { migrate } from './migrate.ts'

// Everything that needs a server shares one: to make it takes longer than most of the tests.
let folder: string
let postgres: EmbeddedPostgres

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-journal-'))
  postgres = await startEmbeddedPostgres({ folder })
})

after(async () => {
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

databaseSuite(() => postgres.url)

engineConformance('dbos', async () => {
  const databaseUrl = await ownDatabase()
  await migrate(databaseUrl)
  return dbosEngine({ databaseUrl, executor: { id: 'conformance' } })
})

async function ownDatabase(): Promise<Secret> {
  const client = await connect(postgres.url)
  await client.query('CREATE DATABASE engine')
  await client.end()
  return new Secret(postgres.url.open().replace(/[^/]*$/, 'engine'))
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { engineConformance } from '../conformance.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres.ts'
import { migrate } from '../migrate.ts'
import { dbosEngine } from './dbos-engine.ts'

let folder: string
let postgres: EmbeddedPostgres

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-engine-'))
  postgres = await startEmbeddedPostgres({ folder })
  await migrate(postgres.url)
})

after(async () => {
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

engineConformance('dbos', async () => dbosEngine({ databaseUrl: postgres.url, executor: { id: 'test' } }))

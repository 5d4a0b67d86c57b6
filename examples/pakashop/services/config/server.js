// Feature flags: read from PostgreSQL, needed by every other service before it starts.
import pg from 'pg'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'
import { identify } from '../../packages/service/identity.js'

const database = postgres(pg)
const { version, release } = identify(import.meta.dirname)

async function readFlags() {
  const rows = await database.query('SELECT name, enabled FROM flags ORDER BY name')
  return Object.fromEntries(rows.map((row) => [row.name, row.enabled]))
}

async function writeFlag({ params, json }) {
  const { enabled } = await json()
  if (typeof enabled !== 'boolean') throw answer(400, { error: 'enabled should be true or false' })
  await database.query(
    `INSERT INTO flags (name, enabled) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, updated_at = now()`,
    [params.name, enabled],
  )
  return { [params.name]: enabled }
}

runService(import.meta.dirname, {
  needs: [],
  stores: { postgres: { ...database, check: async () => ({ flags: Object.keys(await readFlags()).length }) } },
  routes: {
    'GET /flags': async () => ({ version, release, flags: await readFlags() }),
    'PUT /flags/:name': writeFlag,
  },
})

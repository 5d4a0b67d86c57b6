// Settles what was ordered: every order is paid out exactly once, so only one of this service may be at work.
import pg from 'pg'
import { singletonJobs } from '../../packages/service/jobs.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const BATCH = 200
const database = postgres(pg)

const jobs = singletonJobs(database, async (client, tick) => {
  await client.query(
    `WITH settled AS (
       UPDATE orders SET settled_at = now()
       WHERE id IN (SELECT id FROM orders WHERE settled_at IS NULL ORDER BY id LIMIT $2) RETURNING total_cents
     )
     INSERT INTO settlements (tick, orders, total_cents)
     SELECT $1, count(*), sum(total_cents) FROM settled HAVING count(*) > 0`,
    [tick, BATCH],
  )
})

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  background: jobs.background,
  controls: jobs.controls,
  routes: {
    ...jobs.routes,
    'GET /settlements': () => database.query('SELECT * FROM settlements ORDER BY tick DESC LIMIT 10'),
  },
})

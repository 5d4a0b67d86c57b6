// Compares what was ordered with what was settled, once a second, and keeps the differences.
import pg from 'pg'
import { singletonJobs } from '../../packages/service/jobs.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

const jobs = singletonJobs(database, async (client, tick) => {
  await client.query(
    `INSERT INTO reconciliations (tick, settled_orders_cents, settlements_cents)
     SELECT $1, (SELECT coalesce(sum(total_cents), 0) FROM orders WHERE settled_at IS NOT NULL),
                (SELECT coalesce(sum(total_cents), 0) FROM settlements)`,
    [tick],
  )
})

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  background: jobs.background,
  controls: jobs.controls,
  routes: {
    ...jobs.routes,
    'GET /reconciliations': () =>
      database.query(
        `SELECT tick, settled_orders_cents, settlements_cents, settled_orders_cents - settlements_cents AS difference
         FROM reconciliations ORDER BY tick DESC LIMIT 10`,
      ),
  },
})

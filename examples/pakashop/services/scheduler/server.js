// Runs what is due, once: of this service only one may be at work.
import pg from 'pg'
import { singletonJobs } from '../../packages/service/jobs.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

const jobs = singletonJobs(database, async (client) => {
  await client.query(
    "UPDATE schedules SET runs = runs + 1, due_at = now() + every_seconds * interval '1 second' WHERE due_at <= now()",
  )
})

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  background: jobs.background,
  controls: jobs.controls,
  routes: {
    ...jobs.routes,
    'GET /schedules': () => database.query('SELECT * FROM schedules ORDER BY name'),
  },
})

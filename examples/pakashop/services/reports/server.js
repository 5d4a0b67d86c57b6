// Reports over orders; the sales report takes its time, as reports do.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const SLOW_MS = [300, 800]
const database = postgres(pg)

async function sales({ flags }) {
  if (flags['reports.slow']) await sleep(SLOW_MS[0] + Math.random() * (SLOW_MS[1] - SLOW_MS[0]))
  const bySku = await database.query(
    `SELECT sku, count(*)::int AS orders, sum(total_cents)::int AS cents FROM orders
     WHERE created_at > now() - interval '1 hour' GROUP BY sku ORDER BY orders DESC, sku LIMIT 10`,
  )
  return { bySku }
}

async function summary() {
  return database.one(
    'SELECT (SELECT count(*)::int FROM orders) AS orders, (SELECT count(*)::int FROM products) AS products',
  )
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  routes: { 'GET /reports/sales': sales, 'GET /reports/summary': summary },
})

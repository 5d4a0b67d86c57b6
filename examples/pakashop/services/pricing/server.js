// Quotes: the backend's price, less the discount of the price rules. Asks the backend for each one.
import pg from 'pg'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

async function quote({ params, flags, peer }) {
  const product = await peer('backend', `/products/${encodeURIComponent(params.sku)}`)
  const rule = await database.one('SELECT percent FROM price_rules WHERE sku = $1', [params.sku])
  const percent = flags['pricing.discounts'] ? (rule?.percent ?? 0) : 0
  return { sku: params.sku, percent, cents: Math.round((product.price_cents * (100 - percent)) / 100) }
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  routes: { 'GET /quotes/:sku': quote },
})

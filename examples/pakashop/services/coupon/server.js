// Coupons: what a code is worth, and how often it was redeemed.
import pg from 'pg'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

async function find({ params }) {
  const coupon = await database.one('SELECT * FROM coupons WHERE code = $1', [params.code])
  return coupon ?? answer(404, { error: `no coupon ${params.code}` })
}

async function redeem({ params }) {
  const coupon = await database.one('UPDATE coupons SET redemptions = redemptions + 1 WHERE code = $1 RETURNING *', [
    params.code,
  ])
  return coupon ? answer(201, coupon) : answer(404, { error: `no coupon ${params.code}` })
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  routes: { 'GET /coupons/:code': find, 'POST /coupons/:code/redemptions': redeem },
})

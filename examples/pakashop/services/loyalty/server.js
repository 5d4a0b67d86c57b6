// Loyalty points of customers.
import pg from 'pg'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

async function balance({ params }) {
  const account = await database.one('SELECT * FROM loyalty_accounts WHERE customer = $1', [params.customer])
  return account ?? { customer: params.customer, points: 0 }
}

async function credit({ params, json, flags }) {
  const { points } = await json()
  const earned = flags['loyalty.double-points'] ? points * 2 : points
  const account = await database.one(
    `INSERT INTO loyalty_accounts (customer, points) VALUES ($1, $2)
     ON CONFLICT (customer) DO UPDATE SET points = loyalty_accounts.points + excluded.points RETURNING *`,
    [params.customer, earned],
  )
  return answer(201, account)
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  routes: { 'GET /points/:customer': balance, 'POST /points/:customer': credit },
})

// Invoices, numbered without gaps by one row that is locked while a number is given.
import pg from 'pg'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

async function issue({ json }) {
  const { reference, cents } = await json()
  const invoice = await database.transaction(async (client) => {
    const { rows } = await client.query('UPDATE invoice_numbers SET last = last + 1 RETURNING last')
    const insert = 'INSERT INTO invoices (number, reference, total_cents) VALUES ($1, $2, $3) RETURNING *'
    return (await client.query(insert, [rows[0].last, reference, cents])).rows[0]
  })
  return answer(201, invoice)
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { postgres: database },
  routes: {
    'GET /invoices': () => database.query('SELECT * FROM invoices ORDER BY number DESC LIMIT 10'),
    'POST /invoices': issue,
  },
})

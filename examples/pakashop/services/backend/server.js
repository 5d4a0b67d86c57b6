// Catalogue and orders; its Prisma migrations make the tables of the whole fleet.
import pg from 'pg'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { postgres } from '../../packages/service/stores.js'

const database = postgres(pg)

async function findProduct({ params }) {
  const product = await database.one('SELECT * FROM products WHERE sku = $1', [params.sku])
  return product ?? answer(404, { error: `no product ${params.sku}` })
}

/** An order that comes twice under one reference stays one order, and `submissions` says that it came twice. */
async function createOrder({ json, flags }) {
  if (!flags['orders.open']) throw answer(409, { error: 'orders are closed' })
  const { reference, customer, sku, quantity = 1 } = await json()
  const order = await database.one(
    `INSERT INTO orders (reference, customer, sku, quantity, total_cents)
     SELECT $1, $2, sku, $4::int, price_cents * $4::int FROM products WHERE sku = $3
     ON CONFLICT (reference) DO UPDATE SET submissions = orders.submissions + 1 RETURNING *`,
    [reference, customer, sku, quantity],
  )
  return order ? answer(201, order) : answer(404, { error: `no product ${sku}` })
}

async function uploadImage({ params, request }) {
  let bytes = 0
  for await (const chunk of request) bytes += chunk.length
  const image = await database.one(
    'INSERT INTO product_images (sku, bytes) SELECT sku, $2 FROM products WHERE sku = $1 RETURNING *',
    [params.sku, bytes],
  )
  return image ? answer(201, image) : answer(404, { error: `no product ${params.sku}` })
}

runService(import.meta.dirname, {
  needs: ['config', 'gateway'],
  stores: { postgres: database },
  routes: {
    'GET /products': () => database.query('SELECT sku, name, price_cents FROM products ORDER BY sku LIMIT 20'),
    'GET /products/:sku': findProduct,
    'POST /products/:sku/image': uploadImage,
    'GET /orders': () => database.query('SELECT * FROM orders ORDER BY id DESC LIMIT 20'),
    'POST /orders': createOrder,
  },
})

// Fraud checks: how often and for how much a customer has ordered in the last minute, counted in Redis.
import Redis from 'ioredis'
import { runService } from '../../packages/service/service.js'
import { redis } from '../../packages/service/stores.js'

const WINDOW_SECONDS = 60
const store = redis(Redis)

async function check({ json, flags }) {
  const { customer, cents } = await json()
  const key = `fraud:${customer}`
  const [[, orders], [, total]] = await store.client
    .multi()
    .hincrby(key, 'orders', 1)
    .hincrby(key, 'cents', cents)
    .expire(key, WINDOW_SECONDS)
    .exec()
  const limit = flags['fraud.strict'] ? 20 : 100
  return { customer, orders, cents: total, suspicious: orders > limit }
}

async function score({ params }) {
  const { orders = 0, cents = 0 } = await store.client.hgetall(`fraud:${params.customer}`)
  return { customer: params.customer, orders: Number(orders), cents: Number(cents) }
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { redis: store },
  routes: { 'POST /checks': check, 'GET /checks/:customer': score },
})

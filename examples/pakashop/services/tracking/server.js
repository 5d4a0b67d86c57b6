// Shipments: where each one was seen last, in Redis.
import Redis from 'ioredis'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { redis } from '../../packages/service/stores.js'

const KEEP_SECONDS = 24 * 3600
const store = redis(Redis)
const key = (shipment) => `shipment:${shipment}`

async function report({ params, json }) {
  const { latitude, longitude } = await json()
  await store.client
    .multi()
    .hset(key(params.shipment), { latitude, longitude, seen: new Date().toISOString() })
    .expire(key(params.shipment), KEEP_SECONDS)
    .exec()
  return answer(202, { shipment: params.shipment })
}

async function whereIs({ params }) {
  const seen = await store.client.hgetall(key(params.shipment))
  return { shipment: params.shipment, known: 'seen' in seen, ...seen }
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { redis: store },
  routes: { 'POST /shipments/:shipment': report, 'GET /shipments/:shipment': whereIs },
})

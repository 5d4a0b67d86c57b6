// The way in: /api/v1/* to the service that answers it, by its stable port. Redis counts what went where.
import Redis from 'ioredis'
import { runService } from '../../packages/service/service.js'
import { redis } from '../../packages/service/stores.js'
import { proxy } from './proxy.js'
import { routes } from './routes.js'

const COUNTS = 'gateway:requests'
const FLUSH_MS = 1000
const store = redis(Redis)
const counted = new Map()

function count(name) {
  counted.set(name, (counted.get(name) ?? 0) + 1)
}

async function flush() {
  const batch = [...counted]
  counted.clear()
  await Promise.all(batch.map(([name, n]) => store.client.hincrby(COUNTS, name, n)))
}

runService(import.meta.dirname, {
  stores: { redis: store },
  routes: {
    'GET /routes': async () => ({ routes: Object.keys(routes), requests: await store.client.hgetall(COUNTS) }),
    'GET /api/v1/health': () => ({ status: 'ok' }),
    'GET /api/v1/health/ready': () => ({ ready: true }),
  },
  proxy: (request, response) => proxy(request, response, count),
  background: () => {
    const timer = setInterval(() => flush().catch((error) => console.error(error.message)), FLUSH_MS)
    return () => {
      clearInterval(timer)
      return flush()
    }
  },
})

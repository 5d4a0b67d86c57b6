// Notifications: a queue in Redis and a worker that takes from it, in every process that runs.
import Redis from 'ioredis'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { redis } from '../../packages/service/stores.js'

const QUEUE = 'notifications:queue'
const DELIVERED = 'notifications:delivered'
const POLL_MS = 200
const store = redis(Redis)

async function enqueue({ json }) {
  const { customer, text } = await json()
  const queued = await store.client.lpush(QUEUE, JSON.stringify({ customer, text }))
  return answer(202, { queued })
}

async function deliver() {
  const taken = await store.client.rpop(QUEUE, 100)
  if (taken) await store.client.incrby(DELIVERED, taken.length)
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { redis: store },
  routes: {
    'POST /notifications': enqueue,
    'GET /notifications': async () => ({
      queued: await store.client.llen(QUEUE),
      delivered: Number(await store.client.get(DELIVERED)),
    }),
  },
  background: () => {
    const timer = setInterval(() => deliver().catch((error) => console.error(error.message)), POLL_MS)
    return () => clearInterval(timer)
  },
})

// WhatsApp messages: an outbox in Redis, capped, since nobody sends from an example.
import Redis from 'ioredis'
import { answer } from '../../packages/service/answers.js'
import { runService } from '../../packages/service/service.js'
import { redis } from '../../packages/service/stores.js'

const OUTBOX = 'whatsapp:outbox'
const KEPT = 1000
const store = redis(Redis)

async function post({ json }) {
  const { to, text } = await json()
  if (!to || !text) throw answer(400, { error: 'to and text are needed' })
  await store.client
    .multi()
    .lpush(OUTBOX, JSON.stringify({ to, text }))
    .ltrim(OUTBOX, 0, KEPT - 1)
    .exec()
  return answer(202, { to })
}

async function list() {
  const messages = await store.client.lrange(OUTBOX, 0, 9)
  return { kept: await store.client.llen(OUTBOX), newest: messages.map((text) => JSON.parse(text)) }
}

runService(import.meta.dirname, {
  needs: ['config', 'backend'],
  stores: { redis: store },
  routes: { 'GET /messages': list, 'POST /messages': post },
})

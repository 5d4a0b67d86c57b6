import { openDatabase } from '../../src/journal/database.ts'
import { dbosEngine } from '../../src/journal/dbos/dbos-engine.ts'
import type { Lease } from '../../src/journal/dbos/membership.ts'
import { dieAt, NO_FAULTS } from '../../src/journal/faults.ts'
import { Refusal } from '../../src/problem/problem.ts'
import { Secret } from '../../src/secrets/secret.ts'
import { PretendHosts } from './pretend-hosts.ts'
import { type Code, defineStories } from './stories.ts'

/** One worker, as a process of its own, so that it can be killed. Its parent tells it everything over the channel. */
export interface Orders {
  readonly url: string
  readonly hostsUrl: string
  readonly id: string
  readonly lease: Lease
  readonly code: Code
  readonly dieAt?: string
}

export type Question =
  | {
      readonly ask: 'start'
      readonly story: string
      readonly id: string
      readonly input: unknown
      readonly lane?: string
    }
  | { readonly ask: 'cancel'; readonly id: string }
  | { readonly ask: 'result'; readonly id: string }
  | {
      readonly ask: 'send'
      readonly id: string
      readonly topic: string
      readonly message: unknown
      readonly key?: string
    }
  | { readonly ask: 'stranded' }
  /** Its clock is set back. */
  | { readonly ask: 'set-back'; readonly ms: number }
  | { readonly ask: 'shutdown' }

export interface Answer {
  readonly number: number
  readonly value?: unknown
  readonly failure?: string
}

async function work(orders: Orders): Promise<void> {
  const url = new Secret(orders.url)
  const engine = dbosEngine({
    databaseUrl: url,
    executor: { id: orders.id },
    lease: orders.lease,
    faults: orders.dieAt === undefined ? NO_FAULTS : dieAt(orders.dieAt),
  })
  const hosts = new PretendHosts(openDatabase(new Secret(orders.hostsUrl), { size: 4 }).pool)
  const stories = defineStories({ engine, hosts, worker: orders.id, code: orders.code })
  await engine.launch()

  async function start(question: Question & { ask: 'start' }): Promise<void> {
    const story = stories[question.story]
    if (story === undefined) throw new Error(`no story ${question.story}`)
    const options = question.lane === undefined ? {} : { lane: question.lane }
    await engine.start<unknown>({ name: story.name }, question.id, question.input, options)
  }

  function answer(question: Question): Promise<unknown> {
    if (question.ask === 'start') return start(question)
    if (question.ask === 'cancel') return engine.cancel(question.id)
    if (question.ask === 'result') return engine.result(question.id)
    if (question.ask === 'stranded') return engine.strandedWorkflows()
    if (question.ask === 'set-back') return setBack(question.ms)
    if (question.ask === 'shutdown') return engine.shutdown()
    return engine.send(question.id, question.topic, question.message, question.key)
  }

  process.on('message', ({ number, question }: { number: number; question: Question }) => {
    answer(question).then(
      (value) => process.send?.({ number, value } satisfies Answer),
      (error: unknown) => process.send?.({ number, failure: String(error) } satisfies Answer),
    )
  })
  process.send?.({ number: 0, value: 'ready' } satisfies Answer)
}

async function setBack(ms: number): Promise<void> {
  const now = Date.now
  Date.now = () => now() - ms
}

process.once('disconnect', () => process.exit(1))
process.once('message', (orders: Orders) => {
  work(orders).catch((error: unknown) => {
    const failure = error instanceof Refusal ? (error.problems[0]?.code ?? '') : String(error)
    process.send?.({ number: 0, failure } satisfies Answer, () => process.exit(2))
  })
})

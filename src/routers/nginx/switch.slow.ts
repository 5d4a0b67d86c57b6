import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { otherSlot } from '../../manifest/fleet.ts'
import type { SlotName } from '../../manifest/fleet.ts'
import { ask, pause, refusalOf, startTrial, trialSlot, whoAnswers } from '../trial.ts'
import type { Trial } from '../trial.ts'
import { startLoad } from '../trial-load.ts'
import type { LoadAnswer } from '../trial-load.ts'
import { nginxRouter } from './nginx-router.ts'

const SWITCHES = 100
const CLIENTS = 30

describe('the switch under load', () => {
  test(`${SWITCHES} switches: no error, and no answer from the old set to a request sent after the switch`, async (context) => {
    const trial = await start(context)
    const services = [await trial.service('shop'), await trial.service('search'), await trial.service('auth')]
    const names = services.map(({ route }) => route.service)
    const ports = services.map(({ route }) => route.port)
    await trial.shape(services.map(({ route }) => route))
    const slotOf = (number: number): SlotName => (number % 2 === 0 ? 'a' : 'b')
    const lay = async (number: number): Promise<void> => {
      const choices = Object.fromEntries(
        names.map((name) => [name, { slot: slotOf(number), shielded: number % 3 === 0 }]),
      )
      await trial.lay(trial.set(`set-${number}`, choices))
    }
    await lay(0)
    await trial.switchTo('set-0')
    // Twice the number of the live set; odd while a switch is under way.
    let clock = 0
    const load = startLoad({ ports, clients: CLIENTS, bodyBytes: 2_000, mark: () => clock })

    for (let number = 1; number <= SWITCHES; number++) {
      await lay(number)
      clock += 1
      await trial.switchTo(`set-${number}`)
      clock += 1
      const { length } = load.answers
      while (load.answers.length < length + 2 * CLIENTS) await pause(1)
    }

    const answers = await load.stop()
    const stale = answers.filter(({ sent, received, body }) => {
      const possible = new Set<SlotName>()
      for (let number = Math.floor(sent / 2); number <= Math.ceil(received / 2); number++) possible.add(slotOf(number))
      return ![...possible].some((slot) => body.includes(`.${slot}"`))
    })
    const certain = answers.filter(({ sent, received }) => sent % 2 === 0 && sent === received).length
    context.diagnostic(`${answers.length} answers, ${certain} of them wholly between two switches`)
    assert.deepEqual(answers.filter(failed), [])
    assert.deepEqual(stale, [])
    assert.ok(certain >= SWITCHES * CLIENTS)
    const traffic = await trial.traffic(0, Date.now() + 1, answers.length)
    const counted = Object.values(traffic)
    assert.equal(
      counted.reduce((sum, { requests }) => sum + requests, 0),
      answers.length,
    )
    assert.ok(counted.every(({ slotFailures }) => slotFailures === 0))
  })

  test('changes of shape: no error, though nginx reloads each time', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    const other = await trial.service('other')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    const load = startLoad({ ports: [route.port], clients: CLIENTS, bodyBytes: 2_000 })

    for (let round = 0; round < 6; round++) {
      await trial.shape(round % 2 === 0 ? [route, other.route] : [route])
      const { length } = load.answers
      while (load.answers.length < length + 2 * CLIENTS) await pause(1)
    }

    const answers = await load.stop()
    context.diagnostic(`${answers.length} answers over 6 reloads`)
    assert.deepEqual(answers.filter(failed), [])
  })

  test('a shield hides every failure of the new slot that is safe to repeat, and all of them are counted', async (context) => {
    const trial = await start(context)
    const { route, b } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('old', { shop: 'a' })
    const from = Date.now()
    const load = startLoad({ ports: [route.port], clients: 10, methods: ['GET'] })
    await trial.live('new', { shop: { slot: 'b', shielded: true } })
    b.behaviour = (request, response) => {
      if (b.heard.length % 2 === 0) request.socket.resetAndDestroy()
      else response.writeHead(500).end('broken')
    }
    const healthy = b.heard.length
    while (b.heard.length < healthy + 300) await pause(10)
    await b.stop()
    const broken = b.heard.length - healthy
    const { length } = load.answers
    while (load.answers.length < length + 300) await pause(10)
    await trial.live('back', { shop: 'a' })

    const answers = await load.stop()

    const { shop } = await trial.traffic(from, Date.now() + 1, answers.length)
    assert.deepEqual(answers.filter(failed), [])
    assert.equal(shop?.requests, answers.length)
    assert.equal(shop?.failed, 0)
    assert.equal(shop?.rescued, shop?.slotFailures)
    assert.ok((shop?.rescued ?? 0) >= broken + 250, `${shop?.rescued} rescued, ${broken} broken`)
  })

  test('a singleton that is stopped and started loses no request and gets none twice', async (context) => {
    const trial = await start(context)
    const { route, a, b } = await trial.service('scheduler')
    const started = [a]
    await trial.shape([route])
    await trial.live('first', { scheduler: 'a' })
    await b.stop()
    let running = a
    let slot: SlotName = 'a'
    const load = startLoad({ ports: [route.port], clients: 20, methods: ['POST'], bodyBytes: 200_000 })

    for (let round = 1; round <= 5; round++) {
      await pause(100)
      const room = await trial.waitingRoom()
      await trial.live(`held-${round}`, { scheduler: { slot, hold: true } })
      await pause(50)
      while (running.active > 0) await pause(5)
      await running.stop()
      await pause(100)
      slot = otherSlot(slot)
      running = await trialSlot(`scheduler.${slot}`, route.slotPorts[slot === 'a' ? 0 : 1])
      context.after(() => running.stop())
      started.push(running)
      await trial.live(`moved-${round}`, { scheduler: slot })
      room.open('scheduler', running.port)
      await room.close()
    }
    await pause(100)

    const answers = await load.stop()
    context.diagnostic(`${answers.length} answers over 5 exchanges`)
    assert.deepEqual(answers.filter(failed), [])
    const heard = started.flatMap((slot) => slot.heard)
    assert.equal(new Set(heard).size, heard.length)
    assert.equal(heard.length, answers.length)
  })

  test('a waiting room that is killed lets its requests go with 503, and repeats none of them', async (context) => {
    const trial = await start(context)
    const { route, a } = await trial.service('scheduler')
    await trial.shape([route])
    await trial.live('held', { scheduler: { slot: 'a', hold: true } })
    const kill = new AbortController()
    const opened = Promise.withResolvers<void>()
    const script = `const { waitingRooms } = await import(process.argv[1])
      const room = await waitingRooms()({}, process.argv[2])
      console.log('open')
      setInterval(() => room.waiting() === 10 && console.log('full'), 10)`
    const argv = [
      '--input-type=module',
      '-e',
      script,
      join(import.meta.dirname, 'hold-socket.ts'),
      join(trial.root, 'router/hold.sock'),
    ]
    const full = Promise.withResolvers<void>()
    const onLine = (line: string): void => (line === 'full' ? full.resolve() : opened.resolve())
    const child = trial.host.run({ program: process.execPath, argv }, { signal: kill.signal, onLine })
    await opened.promise
    const held = Array.from({ length: 10 }, () => ask(route.port, { method: 'POST', body: 'pay' }))
    await full.promise

    kill.abort()
    await child

    const replies = await Promise.all(held)
    assert.ok(replies.every(({ status, headers }) => status === 503 && headers['retry-after'] === '1'))
    assert.equal(a.heard.length, 0)
    const room = await trial.waitingRoom()
    room.open('scheduler', a.port)
    assert.equal(await whoAnswers(route.port), 'scheduler.a')
    await room.close()
  })

  test('a port that is found taken only by nginx itself is named, and the old shape goes on', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    const stranger = createServer()
    stranger.listen(0, '::')
    await once(stranger, 'listening')
    context.after(() => stranger.close())
    const address = stranger.address()
    assert.ok(typeof address === 'object' && address !== null)
    const other = { service: 'other', port: address.port, slotPorts: [1, 2] } as const

    const refused = await refusalOf(trial.shape([route, other]))

    assert.equal(refused.problems[0]?.code, 'routers/port-taken')
    assert.match(
      refused.message,
      new RegExp(`service other: port ${address.port} is taken by .* \\(process ${process.pid}\\)`),
    )
    assert.equal(await whoAnswers(route.port), 'shop.a')
    assert.equal((await trial.shape([route])).changed, false)
  })
})

async function start(context: TestContext): Promise<Trial> {
  const trial = await startTrial(nginxRouter())
  context.after(() => trial.end())
  return trial
}

function failed({ status }: LoadAnswer): boolean {
  return status !== 200
}

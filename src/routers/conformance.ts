import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { Secret } from '../secrets/secret.ts'
import type { Router } from './router.ts'
import { ask, echoOf, freePort, pause, refusalOf, startTrial, startUpload, trialSlot, whoAnswers } from './trial.ts'
import type { Trial, TrialService } from './trial.ts'

const TOKEN = 'Smoke0123456789abcdef'
const OTHER_TOKEN = 'Other0123456789abcdef'

/** What every router promises, tried with real requests on this machine. */
export function routerConformance(name: string, create: () => Router): void {
  describe(`${name} router`, () => {
    let trial: Trial
    let shop: TrialService
    let search: TrialService
    before(async () => {
      trial = await startTrial(create())
      shop = await trial.service('shop')
      search = await trial.service('search-api')
    })
    after(() => trial.end())

    let sets = 0
    const nameOfSet = (): string => `set-${(sets += 1)}`
    const live: (choices: Parameters<Trial['live']>[1]) => Promise<void> = (choices) => trial.live(nameOfSet(), choices)
    const { a, b } = { a: 'a', b: 'b' } as const

    test('answers 503 and asks to come again before the first set is live', async () => {
      const { changed } = await trial.router.shape(trial.host, trial.fence, [shop.route, search.route])

      const reply = await ask(shop.route.port)
      const report = await trial.router.observe(trial.host, trial.root)
      assert.equal(changed, true)
      assert.equal(reply.status, 503)
      assert.equal(reply.headers['retry-after'], '1')
      assert.deepEqual(JSON.parse(reply.body), { error: 'not released' })
      assert.equal(report.running, true)
      assert.equal(report.live, undefined)
    })

    test('does not touch a router that has the shape already', async () => {
      const { changed } = await trial.router.shape(trial.host, trial.fence, [shop.route, search.route])

      assert.equal(changed, false)
    })

    test('moves every service at once, and reports the set that is live', async () => {
      await live({ shop: a, 'search-api': a })
      const first = await Promise.all([whoAnswers(shop.route.port), whoAnswers(search.route.port)])
      const set = trial.set('moved', { shop: { slot: 'b' }, 'search-api': { slot: 'b', shielded: true } })

      await trial.router.lay(trial.host, trial.fence, set)
      const laid = await whoAnswers(shop.route.port)
      await trial.router.switch(trial.host, trial.fence, set.name)

      const second = await Promise.all([whoAnswers(shop.route.port), whoAnswers(search.route.port)])
      assert.deepEqual(first, ['shop.a', 'search-api.a'])
      assert.equal(laid, 'shop.a')
      assert.deepEqual(second, ['shop.b', 'search-api.b'])
      assert.deepEqual((await trial.router.observe(trial.host, trial.root)).live, set)
    })

    test('closes no connection at a switch', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      await live({ shop: a })
      const first = await ask(shop.route.port, { agent })

      await live({ shop: b })
      const second = await ask(shop.route.port, { agent })

      agent.destroy()
      assert.equal(echoOf(first).slot, 'shop.a')
      assert.equal(echoOf(second).slot, 'shop.b')
      assert.equal(first.connection, second.connection)
    })

    test('answers 503 for a service that the live set leaves out', async () => {
      await live({ shop: a })

      assert.equal(await whoAnswers(search.route.port), 503)
    })

    test('passes method, path, query, headers and body on, and the answer back', async () => {
      await live({ shop: a })
      const body = 'x'.repeat(3 * 1024 * 1024)

      const reply = await ask(shop.route.port, {
        method: 'PUT',
        path: '/some%20path/%2e?q=a%2Fb&q=2',
        headers: { 'x-custom': 'kept', under_score: 'kept', host: 'shop.example:81' },
        body,
      })

      const echo = echoOf(reply)
      assert.equal(echo.method, 'PUT')
      assert.equal(echo.url, '/some%20path/%2e?q=a%2Fb&q=2')
      assert.equal(echo.headers['x-custom'], 'kept')
      assert.equal(echo.headers['under_score'], 'kept')
      assert.equal(echo.headers.host, 'shop.example:81')
      assert.equal(echo.body.length, body.length)
      assert.deepEqual(reply.headers['set-cookie'], ['one=1', 'two=2'])
    })

    test('passes an answer on while the slot still writes it', async () => {
      await live({ shop: a })
      let finish: (() => void) | undefined
      shop.a.behaviour = (_, response) => {
        response.write('first')
        finish = () => response.end('last')
      }

      const url = `http://127.0.0.1:${shop.route.port}/`
      const reader = (await fetch(url)).body?.getReader()
      const first = await reader?.read()
      finish?.()
      const last = await reader?.read()

      shop.a.behaviour = 200
      assert.equal(Buffer.from(first?.value ?? []).toString(), 'first')
      assert.equal(Buffer.from(last?.value ?? []).toString(), 'last')
    })

    test('a token reaches its pending set, a wrong one the live set', async () => {
      await live({ shop: a })
      const pending = trial.set(nameOfSet(), { shop: { slot: 'b' } })

      await trial.router.lay(trial.host, trial.fence, pending, new Secret(TOKEN))

      const asked = (token: string) => whoAnswers(shop.route.port, { headers: { 'x-drover-set': token } })
      assert.equal(await asked(TOKEN), 'shop.b')
      assert.equal(await asked(`${TOKEN}x`), 'shop.a')
      assert.equal(await asked(`../pending/${TOKEN}`), 'shop.a')
      assert.equal(await asked(''), 'shop.a')
      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
      await trial.router.prune(trial.host, trial.fence, [pending.name])
      assert.equal(await asked(TOKEN), 'shop.a')
    })

    test('a token that is laid again reaches the newer set', async () => {
      await live({ shop: a })
      await trial.router.lay(
        trial.host,
        trial.fence,
        trial.set(nameOfSet(), { shop: { slot: 'a' }, 'search-api': { slot: 'a' } }),
        new Secret(TOKEN),
      )
      await trial.router.lay(
        trial.host,
        trial.fence,
        trial.set(nameOfSet(), { shop: { slot: 'a' } }),
        new Secret(OTHER_TOKEN),
      )

      await trial.router.lay(
        trial.host,
        trial.fence,
        trial.set(nameOfSet(), { shop: { slot: 'b', shielded: true } }),
        new Secret(TOKEN),
      )

      const headers = { 'x-drover-set': TOKEN }
      assert.equal(await whoAnswers(shop.route.port, { headers }), 'shop.b')
      assert.equal(await whoAnswers(search.route.port, { headers }), 503)
      assert.equal(await whoAnswers(shop.route.port, { headers: { 'x-drover-set': OTHER_TOKEN } }), 'shop.a')
    })

    test('a shield answers for a slot that fails, as far as it is safe to ask twice', async () => {
      await live({ shop: { slot: 'b', shielded: true } })
      const from = Date.now()

      shop.b.behaviour = 500
      const onError = await whoAnswers(shop.route.port)
      const onPost = await whoAnswers(shop.route.port, { method: 'POST', body: 'pay' })
      shop.b.behaviour = 'reset'
      const onReset = await whoAnswers(shop.route.port)
      const onPut = await whoAnswers(shop.route.port, { method: 'PUT', body: 'again' })
      shop.b.behaviour = 404
      const onMissing = await whoAnswers(shop.route.port)
      shop.b.behaviour = 200
      const healthy = await whoAnswers(shop.route.port, { method: 'POST', body: 'pay' })

      const { shop: traffic } = await trial.router.traffic(trial.host, trial.root, from, Date.now() + 1)
      assert.deepEqual(
        [onError, onPost, onReset, onPut, onMissing, healthy],
        ['shop.a', 500, 'shop.a', 'shop.a', 404, 'shop.b'],
      )
      assert.deepEqual([traffic?.requests, traffic?.failed, traffic?.rescued, traffic?.slotFailures], [6, 1, 3, 4])
    })

    test('a shield answers for a slot that is gone, whatever the method', async () => {
      const lost = await trial.service('lost')
      await trial.router.shape(trial.host, trial.fence, [shop.route, search.route, lost.route])
      await live({ lost: { slot: 'a', shielded: true } })
      await lost.a.stop()

      const replies = [
        await whoAnswers(lost.route.port),
        await whoAnswers(lost.route.port, { method: 'POST', body: 'x' }),
      ]

      assert.deepEqual(replies, ['lost.b', 'lost.b'])
    })

    test('without a shield a failure is passed on and the other slot hears nothing', async () => {
      await live({ shop: a })
      const before = shop.b.heard.length
      shop.a.behaviour = 500
      const failing = await whoAnswers(shop.route.port)
      shop.a.behaviour = 'reset'
      const broken = await whoAnswers(shop.route.port)

      shop.a.behaviour = 200
      assert.deepEqual([failing, broken], [500, 502])
      assert.equal(shop.b.heard.length, before)
    })

    test('traffic counts only what arrived within the window, per service', async () => {
      await live({ shop: a, 'search-api': b })
      await ask(shop.route.port)
      await pause(5)
      const from = Date.now()
      await pause(5)
      await ask(shop.route.port)
      await ask(search.route.port)
      await ask(search.route.port)
      await pause(5)
      const to = Date.now()
      await pause(5)
      await ask(search.route.port)

      const traffic = await trial.router.traffic(trial.host, trial.root, from, to)

      assert.deepEqual(Object.keys(traffic).sort(), ['search-api', 'shop'])
      assert.equal(traffic['shop']?.requests, 1)
      assert.equal(traffic['search-api']?.requests, 2)
      assert.equal(traffic['shop']?.slotFailures, 0)
    })

    test('requests on hold wait for the opening, and finish after the switch', async () => {
      await live({ shop: { slot: 'b', hold: true } })
      const room = await trial.router.waitingRoom(trial.host, trial.root)
      const body = 'y'.repeat(1024 * 1024)
      const held = Array.from({ length: 5 }, (_, i) =>
        ask(shop.route.port, { method: 'POST', path: `/${i}?x=1`, body }),
      )
      while (room.waiting() < held.length) await pause(5)

      await live({ shop: b })
      const passing = await whoAnswers(shop.route.port)
      const before = room.waiting()
      room.open('shop', shop.b.port)
      const echoes = (await Promise.all(held)).map(echoOf)

      await room.close()
      assert.equal(passing, 'shop.b')
      assert.equal(before, 5)
      assert.deepEqual(
        echoes.map(({ slot, method, url, body }) => [slot, method, url, body.length]),
        [0, 1, 2, 3, 4].map((i) => ['shop.b', 'POST', `/${i}?x=1`, body.length]),
      )
    })

    test('who is still sending a body when the room closes is answered by the live set', async () => {
      await live({ shop: { slot: 'a', hold: true } })
      const room = await trial.router.waitingRoom(trial.host, trial.root)
      const upload = startUpload(shop.route.port)
      await upload.send('first ')
      await pause(20)

      await live({ shop: b })
      room.open('shop', shop.b.port)
      await room.close()

      const reply = await upload.finish('last')
      assert.equal(reply.status, 200)
      assert.deepEqual([echoOf(reply).slot, echoOf(reply).body], ['shop.b', 'first last'])
    })

    test('who is still sending a body when the slot stops is answered by the live set', async () => {
      const brief = await trial.service('brief')
      await trial.router.shape(trial.host, trial.fence, [shop.route, search.route, brief.route])
      await live({ brief: a })
      const uploads = [startUpload(brief.route.port), startUpload(brief.route.port)]
      await Promise.all(uploads.map((upload) => upload.send('first ')))
      await pause(20)
      await live({ brief: { slot: 'a', hold: true } })
      const room = await trial.router.waitingRoom(trial.host, trial.root)
      await brief.a.stop()

      const [held, moved] = [uploads[0]?.finish('last'), uploads[1]]
      while (room.waiting() === 0) await pause(5)
      await live({ brief: b })
      room.open('brief', brief.b.port)
      await room.close()

      const replies = await Promise.all([held, moved?.finish('last')])
      assert.deepEqual(
        replies.map((reply) => reply && [echoOf(reply).slot, echoOf(reply).body]),
        [
          ['brief.b', 'first last'],
          ['brief.b', 'first last'],
        ],
      )
    })

    test('a room that is opened again is the same room, with every service shut', async () => {
      await live({ shop: { slot: 'a', hold: true }, 'search-api': { slot: 'a', hold: true } })
      const first = await trial.router.waitingRoom(trial.host, trial.root)
      first.open('search-api', search.a.port)
      const held = [whoAnswers(shop.route.port)]
      while (first.waiting() < 1) await pause(5)

      const second = await trial.router.waitingRoom(trial.host, trial.root)
      held.push(whoAnswers(search.route.port))
      while (second.waiting() < 2) await pause(5)
      second.open('shop', shop.b.port)
      second.open('search-api', search.b.port)

      assert.deepEqual(await Promise.all(held), ['shop.b', 'search-api.b'])
      await second.close()
    })

    test('closing the room refuses who waits; without a room hold answers 503', async () => {
      await live({ shop: { slot: 'a', hold: true } })
      const room = await trial.router.waitingRoom(trial.host, trial.root)
      const held = ask(shop.route.port, { headers: { 'x-drover-service': 'search-api' } })
      while (room.waiting() === 0) await pause(5)
      room.open('search-api', search.a.port)
      const waiting = room.waiting()

      await room.close()

      const refused = [await held, await ask(shop.route.port, { method: 'POST', body: 'x' })]
      assert.equal(waiting, 1)
      assert.deepEqual(
        refused.map((reply) => [reply.status, reply.headers['retry-after']]),
        [
          [503, '1'],
          [503, '1'],
        ],
      )
    })

    test('takes services in and out of the shape while the others are served', async () => {
      const extra = await trial.service('extra')
      await live({ shop: a, extra: b })

      const more = await trial.router.shape(trial.host, trial.fence, [shop.route, extra.route])
      const replies = [await whoAnswers(shop.route.port), await whoAnswers(extra.route.port)]
      const less = await trial.router.shape(trial.host, trial.fence, [shop.route, search.route])

      assert.deepEqual([more.changed, less.changed], [true, true])
      assert.deepEqual(replies, ['shop.a', 'extra.b'])
      await assert.rejects(ask(extra.route.port), { code: 'ECONNREFUSED' })
      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
    })

    test('refuses a port that someone else has, and keeps the shape that it had', async () => {
      const stranger = await trialSlot('stranger', await freePort())
      await live({ shop: a })
      const { shape } = await trial.router.observe(trial.host, trial.root)
      const stolen = { service: 'extra', port: stranger.port, slotPorts: [1, 2] } as const

      const refused = await refusalOf(trial.router.shape(trial.host, trial.fence, [shop.route, stolen]))

      assert.deepEqual(
        refused.problems.map(({ code }) => code),
        ['routers/port-taken'],
      )
      assert.match(refused.message, new RegExp(`service extra: port ${stranger.port} is taken by `))
      assert.equal((await trial.router.observe(trial.host, trial.root)).shape, shape)
      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
      await stranger.stop()
    })

    test('laying a set twice is one set; another one of its name is refused', async () => {
      const set = trial.set(nameOfSet(), { shop: { slot: 'b' } })
      await trial.router.lay(trial.host, trial.fence, set)
      await trial.router.lay(trial.host, trial.fence, set)
      await trial.router.switch(trial.host, trial.fence, set.name)
      await trial.router.switch(trial.host, trial.fence, set.name)

      const refused = await refusalOf(
        trial.router.lay(trial.host, trial.fence, { ...set, choices: { shop: { slot: 'a' } } }),
      )

      assert.match(refused.message, new RegExp(`another set named ${set.name} is on the host`))
      assert.equal(await whoAnswers(shop.route.port), 'shop.b')
    })

    test('prune keeps the live set and those asked for; a switch to a forgotten one is refused', async () => {
      const [kept, forgotten] = [nameOfSet(), nameOfSet()]
      await trial.router.lay(trial.host, trial.fence, trial.set(kept, { shop: { slot: 'b' } }))
      await trial.router.lay(trial.host, trial.fence, trial.set(forgotten, { shop: { slot: 'b' } }))
      await live({ shop: a })

      await trial.router.prune(trial.host, trial.fence, [kept])

      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
      const refused = await refusalOf(trial.router.switch(trial.host, trial.fence, forgotten))
      assert.match(refused.message, new RegExp(`there is no set ${forgotten} on the host`))
      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
      await trial.router.switch(trial.host, trial.fence, kept)
      assert.equal(await whoAnswers(shop.route.port), 'shop.b')
    })

    test('a release that has been overtaken changes nothing', async () => {
      await live({ shop: a })
      const [newer, older] = [
        { root: trial.root, number: 7 },
        { root: trial.root, number: 6 },
      ]
      const set = trial.set(nameOfSet(), { shop: { slot: 'b' } })
      await trial.router.lay(trial.host, newer, set)

      const refusals = [
        await refusalOf(trial.router.switch(trial.host, older, set.name)),
        await refusalOf(trial.router.shape(trial.host, older, [])),
        await refusalOf(trial.router.prune(trial.host, older, [])),
        await refusalOf(trial.router.teardown(trial.host, older)),
      ]

      const codes = refusals.flatMap(({ problems }) => problems.map(({ code }) => code))
      assert.deepEqual(
        codes,
        Array.from({ length: 4 }, () => 'hosts/fenced'),
      )
      assert.equal(await whoAnswers(shop.route.port), 'shop.a')
    })

    test('teardown leaves nothing, twice, and the router can be shaped again', async () => {
      const fence = { root: trial.root, number: 8 }
      await trial.router.teardown(trial.host, fence)
      await trial.router.teardown(trial.host, fence)
      const gone = await trial.router.observe(trial.host, trial.root)
      await assert.rejects(ask(shop.route.port), { code: 'ECONNREFUSED' })

      await trial.router.shape(trial.host, fence, [shop.route])

      assert.deepEqual(gone, { running: false })
      assert.equal(await whoAnswers(shop.route.port), 503)
    })
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stage } from './stage.ts'
import { ask, echoOf, pause, startUpload, whoAnswers } from '../trial.ts'

/** The waiting room, and requests that are on their way while things move. */
export function waitingConformance(stage: Stage): void {
  test('requests on hold wait for the opening, and finish after the switch', async () => {
    await stage.live({ shop: { slot: 'b', hold: true } })
    const room = await stage.trial.waitingRoom()
    const body = 'y'.repeat(1024 * 1024)
    const held = Array.from({ length: 5 }, (_, i) =>
      ask(stage.shop.route.port, { method: 'POST', path: `/${i}?x=1`, body }),
    )
    while (room.waiting() < held.length) await pause(5)

    await stage.live({ shop: 'b' })
    const passing = await whoAnswers(stage.shop.route.port)
    const before = room.waiting()
    room.open('shop', stage.shop.b.port)
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
    await stage.live({ shop: { slot: 'a', hold: true } })
    const room = await stage.trial.waitingRoom()
    const upload = startUpload(stage.shop.route.port)
    await upload.send('first ')
    await pause(20)

    await stage.live({ shop: 'b' })
    room.open('shop', stage.shop.b.port)
    await room.close()

    const reply = await upload.finish('last')
    assert.equal(reply.status, 200)
    assert.deepEqual([echoOf(reply).slot, echoOf(reply).body], ['shop.b', 'first last'])
  })

  test('who is still sending a body when the slot stops is answered by the live set', async () => {
    const brief = await stage.trial.service('brief')
    await stage.trial.shape([stage.shop.route, stage.search.route, brief.route])
    await stage.live({ brief: 'a' })
    const uploads = [startUpload(brief.route.port), startUpload(brief.route.port)]
    await Promise.all(uploads.map((upload) => upload.send('first ')))
    await pause(20)
    await stage.live({ brief: { slot: 'a', hold: true } })
    const room = await stage.trial.waitingRoom()
    await brief.a.stop()

    const [held, moved] = [uploads[0]?.finish('last'), uploads[1]]
    while (room.waiting() === 0) await pause(5)
    await stage.live({ brief: 'b' })
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
    await stage.live({ shop: { slot: 'a', hold: true }, 'search-api': { slot: 'a', hold: true } })
    const first = await stage.trial.waitingRoom()
    first.open('search-api', stage.search.a.port)
    const held = [whoAnswers(stage.shop.route.port)]
    while (first.waiting() < 1) await pause(5)

    const second = await stage.trial.waitingRoom()
    held.push(whoAnswers(stage.search.route.port))
    while (second.waiting() < 2) await pause(5)
    second.open('shop', stage.shop.b.port)
    second.open('search-api', stage.search.b.port)

    assert.deepEqual(await Promise.all(held), ['shop.b', 'search-api.b'])
    await second.close()
  })

  test('closing the room refuses who waits; without a room hold answers 503', async () => {
    await stage.live({ shop: { slot: 'a', hold: true } })
    const room = await stage.trial.waitingRoom()
    const held = ask(stage.shop.route.port, { headers: { 'x-drover-service': 'search-api' } })
    while (room.waiting() === 0) await pause(5)
    room.open('search-api', stage.search.a.port)
    const waiting = room.waiting()

    await room.close()

    const refused = [await held, await ask(stage.shop.route.port, { method: 'POST', body: 'x' })]
    assert.equal(waiting, 1)
    assert.deepEqual(
      refused.map((reply) => [reply.status, reply.headers['retry-after']]),
      [
        [503, '1'],
        [503, '1'],
      ],
    )
  })
}

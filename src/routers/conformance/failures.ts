import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stage } from './stage.ts'
import { ask, pause, whoAnswers } from '../trial.ts'

/** What happens to a request that its slot fails, and how it is counted. */
export function failuresConformance(stage: Stage): void {
  test('a shield answers for a slot that fails, as far as it is safe to ask twice', async () => {
    await stage.live({ shop: { slot: 'b', shielded: true } })
    const from = Date.now()

    stage.shop.b.behaviour = 500
    const onError = await whoAnswers(stage.shop.route.port)
    const onPost = await whoAnswers(stage.shop.route.port, { method: 'POST', body: 'pay' })
    stage.shop.b.behaviour = 'reset'
    const onReset = await whoAnswers(stage.shop.route.port)
    const onPut = await whoAnswers(stage.shop.route.port, { method: 'PUT', body: 'again' })
    stage.shop.b.behaviour = 404
    const onMissing = await whoAnswers(stage.shop.route.port)
    stage.shop.b.behaviour = 200
    const healthy = await whoAnswers(stage.shop.route.port, { method: 'POST', body: 'pay' })

    const { shop: traffic } = await stage.trial.traffic(from, Date.now() + 1, 6)
    assert.deepEqual(
      [onError, onPost, onReset, onPut, onMissing, healthy],
      ['shop.a', 500, 'shop.a', 'shop.a', 404, 'shop.b'],
    )
    assert.deepEqual([traffic?.requests, traffic?.failed, traffic?.rescued, traffic?.slotFailures], [6, 1, 3, 4])
  })

  test('a shield answers for a slot that is gone, whatever the method', async () => {
    const lost = await stage.trial.service('lost')
    await stage.trial.shape([stage.shop.route, stage.search.route, lost.route])
    await stage.live({ lost: { slot: 'a', shielded: true } })
    await lost.a.stop()

    const replies = [
      await whoAnswers(lost.route.port),
      await whoAnswers(lost.route.port, { method: 'POST', body: 'x' }),
    ]

    assert.deepEqual(replies, ['lost.b', 'lost.b'])
  })

  test('without a shield a failure is passed on and the other slot hears nothing', async () => {
    await stage.live({ shop: 'a' })
    const before = stage.shop.b.heard.length
    stage.shop.a.behaviour = 500
    const failing = await whoAnswers(stage.shop.route.port)
    stage.shop.a.behaviour = 'reset'
    const broken = await whoAnswers(stage.shop.route.port)

    stage.shop.a.behaviour = 200
    assert.deepEqual([failing, broken], [500, 502])
    assert.equal(stage.shop.b.heard.length, before)
  })

  test('traffic counts only what arrived within the window, per service', async () => {
    await stage.live({ shop: 'a', 'search-api': 'b' })
    await ask(stage.shop.route.port)
    await pause(5)
    const from = Date.now()
    await pause(5)
    await ask(stage.shop.route.port)
    await ask(stage.search.route.port)
    await ask(stage.search.route.port)
    await pause(5)
    const to = Date.now()
    await pause(5)
    await ask(stage.search.route.port)

    const traffic = await stage.trial.traffic(from, to, 3)

    assert.deepEqual(Object.keys(traffic).sort(), ['search-api', 'shop'])
    assert.equal(traffic['shop']?.requests, 1)
    assert.equal(traffic['search-api']?.requests, 2)
    assert.equal(traffic['shop']?.slotFailures, 0)
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../test/free-ports.ts'
import type { Stage } from './stage.ts'
import { ask, refusalOf, trialSlot, whoAnswers } from '../trial.ts'

/** Services that come and go, ports that are taken, who may change them, and the end. */
export function shapesConformance(stage: Stage): void {
  test('takes services in and out of the shape while the others are served', async () => {
    const extra = await stage.trial.service('extra')
    await stage.live({ shop: 'a', extra: 'b' })

    const more = await stage.trial.shape([stage.shop.route, extra.route])
    const replies = [await whoAnswers(stage.shop.route.port), await whoAnswers(extra.route.port)]
    const less = await stage.trial.shape([stage.shop.route, stage.search.route])

    assert.deepEqual([more.changed, less.changed], [true, true])
    assert.deepEqual(replies, ['shop.a', 'extra.b'])
    await assert.rejects(ask(extra.route.port), { code: 'ECONNREFUSED' })
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
  })

  test('refuses a port that someone else has, and keeps the shape that it had', async (context) => {
    const stranger = await trialSlot('stranger', await freePort())
    context.after(() => stranger.stop())
    await stage.live({ shop: 'a' })
    const { shape } = await stage.trial.observe()
    const stolen = { service: 'extra', port: stranger.port, slotPorts: [1, 2] } as const

    const refused = await refusalOf(stage.trial.shape([stage.shop.route, stolen]))

    assert.deepEqual(
      refused.problems.map(({ code }) => code),
      ['routers/port-taken'],
    )
    assert.match(refused.message, new RegExp(`service extra: port ${stranger.port} is taken by `))
    assert.equal((await stage.trial.observe()).shape, shape)
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
  })

  test('a release that has been overtaken changes nothing', async () => {
    await stage.live({ shop: 'a' })
    const [newer, older] = [
      { root: stage.trial.root, number: 7 },
      { root: stage.trial.root, number: 6 },
    ]
    const set = stage.trial.set(stage.nameOfSet(), { shop: { slot: 'b' } })
    await stage.trial.router.lay(stage.trial.host, newer, set)

    const refusals = [
      await refusalOf(stage.trial.router.switch(stage.trial.host, older, set.name)),
      await refusalOf(stage.trial.router.shape(stage.trial.host, older, [])),
      await refusalOf(stage.trial.router.prune(stage.trial.host, older, [])),
      await refusalOf(stage.trial.router.teardown(stage.trial.host, older)),
    ]

    const codes = refusals.flatMap(({ problems }) => problems.map(({ code }) => code))
    assert.deepEqual(
      codes,
      Array.from({ length: 4 }, () => 'hosts/fenced'),
    )
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
  })

  test('teardown leaves nothing, twice, and the router can be shaped again', async () => {
    const fence = { root: stage.trial.root, number: 8 }
    await stage.trial.router.teardown(stage.trial.host, fence)
    await stage.trial.router.teardown(stage.trial.host, fence)
    const gone = await stage.trial.observe()
    await assert.rejects(ask(stage.shop.route.port), { code: 'ECONNREFUSED' })

    await stage.trial.router.shape(stage.trial.host, fence, [stage.shop.route])

    assert.deepEqual(gone, { running: false })
    assert.equal(await whoAnswers(stage.shop.route.port), 503)
  })
}

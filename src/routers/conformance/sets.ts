import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../secrets/secret.ts'
import type { Stage } from './stage.ts'
import { refusalOf, whoAnswers } from '../trial.ts'

const TOKEN = 'Smoke0123456789abcdef'
const OTHER_TOKEN = 'Other0123456789abcdef'

/** Sets beside the live one: by token, laid twice, forgotten. */
export function setsConformance(stage: Stage): void {
  test('a token reaches its pending set, a wrong one the live set', async () => {
    await stage.live({ shop: 'a' })
    const pending = stage.trial.set(stage.nameOfSet(), { shop: { slot: 'b' } })

    await stage.trial.lay(pending, new Secret(TOKEN))

    const asked = (token: string) => whoAnswers(stage.shop.route.port, { headers: { 'x-drover-set': token } })
    assert.equal(await asked(TOKEN), 'shop.b')
    assert.equal(await asked(`${TOKEN}x`), 'shop.a')
    assert.equal(await asked(`../pending/${TOKEN}`), 'shop.a')
    assert.equal(await asked(''), 'shop.a')
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
    await stage.trial.prune([pending.name])
    assert.equal(await asked(TOKEN), 'shop.a')
  })

  test('a token that is laid again reaches the newer set', async () => {
    await stage.live({ shop: 'a' })
    await stage.trial.lay(
      stage.trial.set(stage.nameOfSet(), { shop: { slot: 'a' }, 'search-api': { slot: 'a' } }),
      new Secret(TOKEN),
    )
    await stage.trial.lay(stage.trial.set(stage.nameOfSet(), { shop: { slot: 'a' } }), new Secret(OTHER_TOKEN))

    await stage.trial.lay(
      stage.trial.set(stage.nameOfSet(), { shop: { slot: 'b', shielded: true } }),
      new Secret(TOKEN),
    )

    const headers = { 'x-drover-set': TOKEN }
    assert.equal(await whoAnswers(stage.shop.route.port, { headers }), 'shop.b')
    assert.equal(await whoAnswers(stage.search.route.port, { headers }), 503)
    assert.equal(await whoAnswers(stage.shop.route.port, { headers: { 'x-drover-set': OTHER_TOKEN } }), 'shop.a')
  })

  test('laying a set twice is one set; another one of its name is refused', async () => {
    const set = stage.trial.set(stage.nameOfSet(), { shop: { slot: 'b' } })
    await stage.trial.lay(set)
    await stage.trial.lay(set)
    await stage.trial.switchTo(set.name)
    await stage.trial.switchTo(set.name)

    const refused = await refusalOf(stage.trial.lay({ ...set, choices: { shop: { slot: 'a' } } }))

    assert.match(refused.message, new RegExp(`another set named ${set.name} is on the host`))
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.b')
  })

  test('settle leaves one set and no token, and does what else there is to do', async () => {
    const [settled, forgotten] = [stage.nameOfSet(), stage.nameOfSet()]
    await stage.live({ shop: 'a' })
    await stage.trial.lay(stage.trial.set(forgotten, { shop: { slot: 'a' } }), new Secret(TOKEN))
    const path = `${stage.trial.root}/besides`

    const set = stage.trial.set(settled, { shop: { slot: 'b' } })
    await stage.trial.settle(set, [{ kind: 'write', path, content: 'done' }])
    await stage.trial.settle(set, [])

    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.b')
    assert.equal(await whoAnswers(stage.shop.route.port, { headers: { 'x-drover-set': TOKEN } }), 'shop.b')
    await refusalOf(stage.trial.switchTo(forgotten))
    assert.equal((await stage.trial.host.run({ program: 'cat', argv: [path] })).stdout, 'done')
  })

  test('prune keeps the live set and those asked for; a switch to a forgotten one is refused', async () => {
    const [kept, forgotten] = [stage.nameOfSet(), stage.nameOfSet()]
    await stage.trial.lay(stage.trial.set(kept, { shop: { slot: 'b' } }))
    await stage.trial.lay(stage.trial.set(forgotten, { shop: { slot: 'b' } }))
    await stage.live({ shop: 'a' })

    await stage.trial.prune([kept])

    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
    const refused = await refusalOf(stage.trial.switchTo(forgotten))
    assert.match(refused.message, new RegExp(`there is no set ${forgotten} on the host`))
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.a')
    await stage.trial.switchTo(kept)
    assert.equal(await whoAnswers(stage.shop.route.port), 'shop.b')
  })
}

import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test } from 'node:test'
import type { Stage } from './stage.ts'
import { ask, echoOf, whoAnswers } from '../trial.ts'

/** What a router does with a request of the live set. */
export function servingConformance(stage: Stage): void {
  test('answers 503 and asks to come again before the first set is live', async () => {
    const { changed } = await stage.trial.shape([stage.shop.route, stage.search.route])

    const reply = await ask(stage.shop.route.port)
    const report = await stage.trial.observe()
    assert.equal(changed, true)
    assert.equal(reply.status, 503)
    assert.equal(reply.headers['retry-after'], '1')
    assert.deepEqual(JSON.parse(reply.body), { error: 'not released' })
    assert.equal(report.running, true)
    assert.equal(report.live, undefined)
  })

  test('does not touch a router that has the shape already', async () => {
    const { changed } = await stage.trial.shape([stage.shop.route, stage.search.route])

    assert.equal(changed, false)
  })

  test('moves every service at once, and reports the set that is live', async () => {
    await stage.live({ shop: 'a', 'search-api': 'a' })
    const first = await Promise.all([whoAnswers(stage.shop.route.port), whoAnswers(stage.search.route.port)])
    const set = stage.trial.set('moved', { shop: { slot: 'b' }, 'search-api': { slot: 'b', shielded: true } })

    await stage.trial.lay(set)
    const laid = await whoAnswers(stage.shop.route.port)
    await stage.trial.switchTo(set.name)

    const second = await Promise.all([whoAnswers(stage.shop.route.port), whoAnswers(stage.search.route.port)])
    assert.deepEqual(first, ['shop.a', 'search-api.a'])
    assert.equal(laid, 'shop.a')
    assert.deepEqual(second, ['shop.b', 'search-api.b'])
    assert.deepEqual((await stage.trial.observe()).live, set)
  })

  test('closes no connection at a switch', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await stage.live({ shop: 'a' })
    const first = await ask(stage.shop.route.port, { agent })

    await stage.live({ shop: 'b' })
    const second = await ask(stage.shop.route.port, { agent })

    agent.destroy()
    assert.equal(echoOf(first).slot, 'shop.a')
    assert.equal(echoOf(second).slot, 'shop.b')
    assert.equal(first.connection, second.connection)
  })

  test('answers 503 for a service that the live set leaves out', async () => {
    await stage.live({ shop: 'a' })

    assert.equal(await whoAnswers(stage.search.route.port), 503)
  })

  test('passes method, path, query, headers and body on, and the answer back', async () => {
    await stage.live({ shop: 'a' })
    const body = 'x'.repeat(3 * 1024 * 1024)

    const reply = await ask(stage.shop.route.port, {
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
    await stage.live({ shop: 'a' })
    let finish: (() => void) | undefined
    stage.shop.a.behaviour = (_, response) => {
      response.write('first')
      finish = () => response.end('last')
    }

    const url = `http://127.0.0.1:${stage.shop.route.port}/`
    const reader = (await fetch(url)).body?.getReader()
    const first = await reader?.read()
    finish?.()
    const last = await reader?.read()

    stage.shop.a.behaviour = 200
    assert.equal(Buffer.from(first?.value ?? []).toString(), 'first')
    assert.equal(Buffer.from(last?.value ?? []).toString(), 'last')
  })
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { waitingQueue } from './waiting-queue.ts'

const STAYS = new AbortController().signal

describe('the waiting queue', () => {
  test('lets a service through when it is opened, and those who come later at once', async () => {
    const queue = waitingQueue()
    const early = [queue.wait('shop', STAYS), queue.wait('shop', STAYS)]
    const other = queue.wait('search', STAYS)

    queue.open('shop', 3080)

    assert.deepEqual(await Promise.all(early), [3080, 3080])
    assert.equal(queue.waiting(), 1)
    assert.equal(await queue.wait('shop', STAYS), 3080)
    queue.close()
    assert.equal(await other, undefined)
  })

  test('keeps who waits when it is shut, and lets nobody through until it is opened again', async () => {
    const queue = waitingQueue()
    const waiting = queue.wait('search', STAYS)
    queue.open('shop', 3080)

    queue.shut()
    const late = queue.wait('shop', STAYS)

    assert.equal(queue.waiting(), 2)
    queue.open('shop', 3081)
    queue.open('search', 3090)
    assert.deepEqual(await Promise.all([waiting, late]), [3090, 3081])
  })

  test('refuses more than its seats, and has a seat again when someone leaves', async () => {
    const queue = waitingQueue({ maxWaiting: 1 })
    const client = new AbortController()
    const seated = queue.wait('shop', client.signal)

    const refused = await queue.wait('shop', STAYS)
    client.abort()
    const gone = await seated
    const next = queue.wait('shop', STAYS)

    assert.deepEqual([refused, gone, queue.waiting()], [undefined, undefined, 1])
    queue.open('shop', 1)
    assert.equal(await next, 1)
  })

  test('lets nobody wait for ever', async () => {
    const queue = waitingQueue({ maxWaitMs: 5 })

    assert.equal(await queue.wait('shop', STAYS), undefined)
    assert.equal(queue.waiting(), 0)
  })

  test('refuses who waits when it closes; an opened service stays open for who comes late', async () => {
    const queue = waitingQueue()
    const waiting = queue.wait('search', STAYS)
    queue.open('shop', 3080)

    queue.close()

    assert.equal(await waiting, undefined)
    assert.equal(await queue.wait('search', STAYS), undefined)
    assert.equal(await queue.wait('shop', STAYS), 3080)
  })

  test('does not seat a client that has left already', async () => {
    const queue = waitingQueue()

    assert.equal(await queue.wait('shop', AbortSignal.abort()), undefined)
    assert.equal(queue.waiting(), 0)
  })
})

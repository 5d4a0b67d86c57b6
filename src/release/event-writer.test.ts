import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventWriter } from './event-writer.ts'
import type { Sql } from './record-store.ts'
import type { EventBody } from './records.ts'

const RELEASE = { fleet: 'shop', environment: 'test', number: 1 }
const note = (text: string): EventBody => ({ kind: 'note', text })

/** A database that keeps each statement waiting until it is let go. */
function slowDatabase(): { sql: Sql; statements: string[][]; letGo: (error?: Error) => Promise<void> } {
  const statements: string[][] = []
  const held: PromiseWithResolvers<void>[] = []
  const sql: Sql = {
    async query(_text, values = []) {
      statements.push((values[3] as string[]).map((body) => (JSON.parse(body) as { text: string }).text))
      const hold = Promise.withResolvers<void>()
      held.push(hold)
      await hold.promise
      return { rows: [] }
    },
  }
  return {
    sql,
    statements,
    async letGo(error) {
      const hold = held.shift()
      if (error === undefined) hold?.resolve()
      else hold?.reject(error)
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('the events of a release', () => {
  it('are written one statement after the other, and together what came meanwhile', async () => {
    const { sql, statements, letGo } = slowDatabase()
    const emit = eventWriter(sql)

    const first = emit(RELEASE, note('one'))
    await new Promise((resolve) => setImmediate(resolve))
    const others = ['two', 'three'].map((text) => emit(RELEASE, note(text)))
    await new Promise((resolve) => setImmediate(resolve))
    const whileFirst = structuredClone(statements)
    await letGo()
    await letGo()

    await Promise.all([first, ...others])
    assert.deepEqual(whileFirst, [['one']])
    assert.deepEqual(statements, [['one'], ['two', 'three']])
  })

  it('go on after a statement that failed, which those are told whose events it had', async () => {
    const { sql, statements, letGo } = slowDatabase()
    const emit = eventWriter(sql)

    const first = emit(RELEASE, note('one'))
    const failed = assert.rejects(first, /disk/)
    await new Promise((resolve) => setImmediate(resolve))
    const second = emit(RELEASE, note('two'))
    await letGo(new Error('disk full'))
    await letGo()

    await failed
    await second
    assert.deepEqual(statements, [['one'], ['two']])
  })

  it('of different releases do not wait for each other', async () => {
    const { sql, statements, letGo } = slowDatabase()
    const emit = eventWriter(sql)

    const all = [emit(RELEASE, note('one')), emit({ ...RELEASE, number: 2 }, note('other'))]
    await new Promise((resolve) => setImmediate(resolve))
    const atOnce = structuredClone(statements)
    await letGo()
    await letGo()

    await Promise.all(all)
    assert.deepEqual(atOnce, [['one'], ['other']])
  })
})

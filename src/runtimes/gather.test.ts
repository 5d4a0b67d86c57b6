import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatherer } from './gather.ts'

/** A run that ends when told to. */
function controlled(): { runs: (readonly string[])[]; finish: () => void; call: (item: string) => Promise<string> } {
  const runs: (readonly string[])[] = []
  let release = (): void => {}
  const call = gatherer(async (items: readonly string[]) => {
    runs.push(items)
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return items.map((item) => item.toUpperCase())
  })
  return { runs, call, finish: () => release() }
}

test('calls of one turn go together, later ones in the next run', async () => {
  const { runs, call, finish } = controlled()

  const first = [call('a'), call('b')]
  await settled()
  const later = [call('c'), call('d')]
  await settled()
  const under = runs.length
  finish()
  await Promise.all(first)
  await settled()
  finish()

  assert.equal(under, 1)
  assert.deepEqual(await Promise.all([...first, ...later]), ['A', 'B', 'C', 'D'])
  assert.deepEqual(runs, [
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('a run that fails fails its own callers, and the next goes on', async () => {
  let fail = true
  const call = gatherer(async (items: readonly string[]) => {
    if (fail) {
      throw new Error('no')
    }
    return items
  })

  const failures = await Promise.allSettled([call('a'), call('b')])
  fail = false

  assert.deepEqual(
    failures.map((failure) => failure.status),
    ['rejected', 'rejected'],
  )
  assert.equal(await call('c'), 'c')
})

test('with a lull what comes a moment later goes along', async () => {
  const runs: (readonly number[])[] = []
  const call = gatherer(
    async (items: readonly number[]) => {
      runs.push(items)
      return items
    },
    { lingerMs: 50 },
  )

  const first = call(1)
  await settled()
  const second = call(2)
  await Promise.all([first, second])

  assert.deepEqual(runs, [[1, 2]])
})

async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { link, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { inventories } from './inventories.ts'
import { fileOf, inventoryOf, inventoryText, readInventory } from './inventory.ts'
import { takeInventory } from './take-inventory.ts'

const sha = (text: string): string => hash('sha256', text)

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-inventory-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('an inventory has everything below a folder, in order', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'b', 'empty'), { recursive: true })
  await writeFile(join(folder, 'b', 'run'), '#!/bin/sh', { mode: 0o755 })
  await writeFile(join(folder, 'a\nb c'), '')
  await writeFile(join(folder, '.é'), 'x'.repeat(2_000_000))
  await symlink('/etc//passwd', join(folder, 'c'))

  const inventory = await takeInventory(folder)

  assert.deepEqual(inventory.records, [
    `f 2000000 ${sha('x'.repeat(2_000_000))} .é`,
    `f 0 ${sha('')} a\nb c`,
    'd b',
    'd b/empty',
    `x 9 ${sha('#!/bin/sh')} b/run`,
    'l c///etc//passwd',
  ])
  assert.equal(inventory.digest, sha(inventory.records.map((record) => `${record}\0`).join('')))
})

test('owners, times and the rest of the mode make no other inventory', async (t) => {
  const folder = await scratch(t)
  const [one, other] = [join(folder, 'one'), join(folder, 'other')]
  for (const [place, mode] of [
    [one, 0o640],
    [other, 0o444],
  ] as const) {
    await mkdir(place)
    await writeFile(join(place, 'f'), 'x', { mode })
  }
  await utimes(join(other, 'f'), 1, 1)

  const digests = [(await takeInventory(one)).digest, (await takeInventory(other)).digest]

  assert.equal(digests[0], digests[1])
})

test('an inventory is read as it was written, and torn ones are none', () => {
  const inventory = inventoryOf(['d a', `f 3 ${sha('abc')} a/with\nline and blank `, 'l a/b//..'])
  const text = inventoryText(inventory.records)

  const read = readInventory(text)

  assert.deepEqual(read, inventory)
  assert.equal(readInventory(text.slice(0, -1)), undefined)
  assert.deepEqual(readInventory('')?.records, [])
  assert.deepEqual(fileOf(inventory.records[1]!), {
    content: `f${sha('abc')}`,
    size: 3,
    path: 'a/with\nline and blank ',
  })
  assert.equal(fileOf('d f 3'), undefined)
})

test('a folder with an id is read once, also by the next process', async (t) => {
  const folder = await scratch(t)
  const [from, place] = [join(folder, 'from'), join(folder, 'place')]
  await mkdir(from)
  await writeFile(join(from, 'f'), 'first')
  const first = await inventories(place).of(from, 'backend/1')
  await writeFile(join(from, 'f'), 'second')

  const again = await inventories(place).of(from, 'backend/1')
  const other = await inventories(place).of(from, 'backend/2')
  const unnamed = await inventories(place).of(from)

  assert.deepEqual(again, first)
  assert.notEqual(other.digest, first.digest)
  assert.deepEqual(unnamed, other)
})

test('what is kept and was altered is not used', async (t) => {
  const folder = await scratch(t)
  const [from, place] = [join(folder, 'from'), join(folder, 'place')]
  await mkdir(from)
  await writeFile(join(from, 'f'), 'x')
  const inventory = await inventories(place).of(from, 'id')
  for (const name of await readdir(place)) await writeFile(join(place, name), 'f 1 2 3\0')

  const found = [await inventories(place).known(inventory.digest), await inventories(place).known('../from/f')]
  const again = await inventories(place).of(from, 'id')

  assert.deepEqual(found, [undefined, undefined])
  assert.deepEqual(again, inventory)
})

test('a file that several folders share is read anew once it was written to', async (t) => {
  const folder = await scratch(t)
  const known = inventories(join(folder, 'place'))
  for (const name of ['one', 'two']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'one', 'f'), 'first')
  await link(join(folder, 'one', 'f'), join(folder, 'two', 'f'))
  const before = [await known.of(join(folder, 'one')), await known.of(join(folder, 'two'))]
  await writeFile(join(folder, 'two', 'f'), 'secon')

  const after = await known.of(join(folder, 'one'))

  assert.deepEqual(before[0]?.records, [`f 5 ${sha('first')} f`])
  assert.deepEqual(before[1], before[0])
  assert.deepEqual(after.records, [`f 5 ${sha('secon')} f`])
})

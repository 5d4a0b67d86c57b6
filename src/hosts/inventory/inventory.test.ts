import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { inventories } from './inventories.ts'
import { inventoryOf, inventoryText, readInventory, recordsBelow } from './inventory.ts'

const sha = (text: string): string => hash('sha256', text)

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-inventory-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const RECORDS = ['d a', `f 3 ${sha('abc')} a/with\nline and blank `, `x 0 ${sha('')} a/é`, 'l b/c//..//up']

test('an inventory knows its files, their bytes and their order', () => {
  const inventory = inventoryOf(RECORDS.toReversed())

  assert.deepEqual(inventory.records, RECORDS)
  assert.deepEqual(inventory.files, [
    { content: `f${sha('abc')}`, size: 3, path: 'a/with\nline and blank ' },
    { content: `x${sha('')}`, size: 0, path: 'a/é' },
  ])
  assert.equal(inventory.bytes, 3)
  assert.equal(inventory.digest, sha(RECORDS.map((record) => `${record}\0`).join('')))
})

test('an inventory is read as it was written, and torn ones are none', () => {
  const inventory = inventoryOf(RECORDS)
  const text = inventoryText(inventory.records)

  const read = readInventory(text)

  assert.deepEqual(read, inventory)
  for (const torn of [text.slice(0, -1), text.slice(1), 'f 3 abc a\0', 'x\0', '\0']) {
    assert.equal(readInventory(torn), undefined, torn)
  }
  assert.deepEqual(readInventory('')?.records, [])
})

test('what a folder holds is moved below another one', () => {
  const records = recordsBelow('x/y', inventoryOf(RECORDS))

  assert.deepEqual(records, [
    'd x/y',
    'd x/y/a',
    `f 3 ${sha('abc')} x/y/a/with\nline and blank `,
    `x 0 ${sha('')} x/y/a/é`,
    'l x/y/b/c//..//up',
  ])
})

test('what is kept is found by the next process, unless it was altered', async (t) => {
  const folder = join(await scratch(t), 'new')
  const inventory = inventoryOf(RECORDS)
  await inventories(folder).keep(inventory)
  const found = await inventories(folder).find(inventory.digest)
  for (const name of await readdir(folder)) await writeFile(join(folder, name), 'd b\0')

  const altered = await inventories(folder).find(inventory.digest)

  assert.deepEqual(found, inventory)
  assert.equal(altered, undefined)
  assert.equal(await inventories(folder).find('../x'), undefined)
})

test('what was not used for two months is thrown away', async (t) => {
  const folder = await scratch(t)
  const [old, used, recent] = ['d old', 'd used', 'd recent'].map((record) => inventoryOf([record]))
  const longAgo = Date.now() / 1000 - 61 * 24 * 3600
  for (const inventory of [old!, used!]) {
    await inventories(folder).keep(inventory)
    await utimes(join(folder, inventory.digest), longAgo, longAgo)
  }
  await inventories(folder).find(used!.digest)

  await inventories(folder).keep(recent!)

  assert.deepEqual((await readdir(folder)).toSorted(), [used!.digest, recent!.digest].toSorted())
})

test('a folder that cannot be written to costs nothing but time', async (t) => {
  const folder = await scratch(t)
  await mkdir(join(folder, 'a'))
  await writeFile(join(folder, 'a', 'file'), '')

  await inventories(join(folder, 'a', 'file')).keep(inventoryOf(RECORDS))

  assert.deepEqual(await readdir(join(folder, 'a')), ['file'])
})

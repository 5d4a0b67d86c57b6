import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hostConformance } from '../conformance.ts'
import { localHost } from './local-host.ts'
import { spawner } from './spawner.ts'

hostConformance('local host', () => localHost())
hostConformance('local host with a spawner', () => localHost({ spawner: spawner() }))

test('an upload on one file system costs no space', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'drover-local-'))
  t.after(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'from'))
  await writeFile(join(folder, 'from', 'f'), 'x')
  await symlink('f', join(folder, 'from', 'link'))

  await localHost().upload(join(folder, 'from'), join(folder, 'to'))

  assert.equal((await stat(join(folder, 'to', 'f'))).ino, (await stat(join(folder, 'from', 'f'))).ino)
})

test('an upload clears away what a dead Drover left of an earlier one, and only that', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'drover-local-'))
  t.after(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'from'))
  await mkdir(join(folder, '.to.part-4194305-1'))
  await mkdir(join(folder, `.to.part-${process.pid}-999`))
  await mkdir(join(folder, '.other.part-4194305-1'))

  await localHost().upload(join(folder, 'from'), join(folder, 'to'))

  assert.deepEqual((await readdir(folder)).toSorted(), [
    '.other.part-4194305-1',
    `.to.part-${process.pid}-999`,
    'from',
    'to',
  ])
})

test('an upload to another file system is a copy', async (t) => {
  // Shared memory is a file system of its own on every Linux; where it is not, there is nothing to tell apart.
  const from = await mkdtemp(join(tmpdir(), 'drover-local-'))
  const to = await mkdtemp('/dev/shm/drover-local-')
  t.after(() => Promise.all([rm(from, { recursive: true }), rm(to, { recursive: true })]))
  await writeFile(join(from, 'f'), 'x')

  const result = await localHost().upload(from, join(to, 'target'))

  assert.equal(result.skipped, false)
  assert.deepEqual(await readdir(join(to, 'target')), ['f'])
  assert.deepEqual(await readdir(to), ['target'])
})

test('many commands at once do not disturb each other', async () => {
  const host = localHost()

  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      host.run({ program: 'sh', argv: ['-c', 'echo "$1"', 'sh', String(index)] }),
    ),
  )

  assert.deepEqual(
    outcomes.map((outcome) => outcome.stdout),
    Array.from({ length: 20 }, (_, index) => `${index}\n`),
  )
})

import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { programIdentity } from './program-identity.ts'

describe('the identity of a program', () => {
  test('is that of the first on the PATH, through links, and changes with its file', async (t) => {
    const { path, folder } = await folders(t)
    await copyFile(process.execPath, join(folder, 'second', 'real'))
    await symlink(join(folder, 'second', 'real'), join(folder, 'second', 'tool'))

    const before = programIdentity('tool', path)
    const again = programIdentity('tool', path)
    await utimes(join(folder, 'second', 'real'), 1, 1)
    const touched = programIdentity('tool', path)
    await copyFile('/bin/sh', join(folder, 'first', 'tool'))
    const other = programIdentity('tool', path)

    assert.match(before ?? '', /second\/real/)
    assert.equal(again, before)
    assert.notEqual(touched, before)
    assert.match(other ?? '', /first\/tool/)
  })

  test('is unknown for a wrapper, for a folder and for what is not there', async (t) => {
    const { path, folder } = await folders(t)
    await writeFile(join(folder, 'first', 'wrapper'), '#!/bin/sh\nexec node "$@"\n')
    await chmod(join(folder, 'first', 'wrapper'), 0o755)
    await mkdir(join(folder, 'first', 'folder'))

    const found = ['wrapper', 'folder', 'absent'].map((name) => programIdentity(name, path))

    assert.deepEqual(found, [undefined, undefined, undefined])
  })
})

async function folders(t: TestContext): Promise<{ folder: string; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-identity-'))
  t.after(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'first'))
  await mkdir(join(folder, 'second'))
  return { folder, path: `${folder}/first:${folder}/second` }
}

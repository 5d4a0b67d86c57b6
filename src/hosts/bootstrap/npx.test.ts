import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { NPX } from './npx.ts'

describe('the npx of hosts', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-npx-'))
    await program('own/npx', NPX)
    await program('others/npx', '#!/bin/sh\necho "the other one: $*"\n')
    await program('artifact/node_modules/.bin/prisma', '#!/bin/sh\necho "prisma $# $*"; helper\nexit 7\n')
    await program('artifact/node_modules/.bin/helper', '#!/bin/sh\necho helped\n')
    await mkdir(join(folder, 'artifact/services/backend'), { recursive: true })
  })
  after(() => rm(folder, { recursive: true, force: true }))

  async function program(path: string, text: string): Promise<void> {
    const file = join(folder, path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, text, { mode: 0o755 })
  }

  /** As a migration is run; where the host has no npx but ours, or another one too. */
  function npx(line: string, folders: readonly string[] = ['own']): { status: number | null; said: string } {
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', line], {
      cwd: join(folder, 'artifact/services/backend'),
      env: { PATH: folders.map((each) => join(folder, each)).join(':') },
      encoding: 'utf8',
    })
    return { status, said: `${stdout}${stderr}`.trim() }
  }

  it('starts a program of the packages of the service or of a folder above, which finds the others', () => {
    const plain = npx("npx prisma migrate 'de ploy'")
    const withOptions = npx('npx --no-install -y -- prisma -v')

    assert.deepEqual(plain, { status: 7, said: 'prisma 2 migrate de ploy\nhelped' })
    assert.deepEqual(withOptions, { status: 7, said: 'prisma 1 -v\nhelped' })
  })

  it('leaves to an npx of the host what it does not know', () => {
    const both = ['own', 'others']

    const unknown = npx('npx other-tool up', both)
    const option = npx('npx --package=other-tool other-tool', both)

    assert.deepEqual(unknown, { status: 0, said: 'the other one: other-tool up' })
    assert.deepEqual(option, { status: 0, said: 'the other one: --package=other-tool other-tool' })
  })

  it('says what is missing where there is no other', () => {
    const unknown = npx('npx other-tool up')
    const nothing = npx('npx --yes')

    assert.equal(unknown.status, 127)
    assert.match(unknown.said, /^npx: other-tool is not among the packages of the service/)
    assert.deepEqual(nothing, { status: 2, said: 'npx: which program?' })
  })
})

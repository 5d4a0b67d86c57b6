import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { localHost } from '../hosts/local/local-host.ts'
import { rememberingToolchain } from './builder.ts'
import { commandBuilder } from './command/builder.ts'
import { refusalOf } from './trial.ts'
import { refusal } from '../problem/problem.ts'

describe('a builder that remembers its toolchain', () => {
  it('asks each host once for a while', async () => {
    let asked = 0
    const builder = { ...commandBuilder, toolchain: async () => `version ${++asked}` }
    const [one, two] = [localHost(), localHost()]
    const remembering = rememberingToolchain(builder, { forMs: 60_000 })
    const forgetful = rememberingToolchain(builder, { forMs: 0 })

    const remembered = [
      await remembering.toolchain(one),
      await remembering.toolchain(one),
      await remembering.toolchain(two),
    ]
    const forgotten = [await forgetful.toolchain(one), await forgetful.toolchain(one)]

    assert.deepEqual(remembered, ['version 1', 'version 1', 'version 2'])
    assert.deepEqual(forgotten, ['version 3', 'version 4'])
  })

  it('asks again about a program of this machine only when its file has changed', async (t) => {
    let asked = 0
    const builder = { ...commandBuilder, toolchain: async () => `version ${++asked}` }
    const host = localHost()
    const before = process.env['PATH']
    const folder = await mkdtemp(join(tmpdir(), 'drover-remember-'))
    t.after(async () => {
      process.env['PATH'] = before
      await rm(folder, { recursive: true })
    })
    await copyFile(process.execPath, join(folder, 'some-tool'))
    process.env['PATH'] = `${folder}:${before}`
    const remembering = rememberingToolchain(builder, { forMs: 0, program: 'some-tool' })

    const same = [await remembering.toolchain(host), await remembering.toolchain(host)]
    await copyFile('/bin/sh', join(folder, 'some-tool'))
    const changed = await remembering.toolchain(host)

    assert.deepEqual(same, ['version 1', 'version 1'])
    assert.equal(changed, 'version 2')
  })

  it('asks again after a refusal: what was missing may be installed by then', async () => {
    let installed = false
    const toolchain = async (): Promise<string> => {
      if (!installed) throw refusal('build/no-toolchain', 'host local', 'is missing')
      return 'there'
    }
    const builder = rememberingToolchain({ ...commandBuilder, toolchain })
    const host = localHost()
    await refusalOf(builder.toolchain(host))

    installed = true

    assert.equal(await builder.toolchain(host), 'there')
  })
})

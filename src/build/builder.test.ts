import assert from 'node:assert/strict'
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
    const remembering = rememberingToolchain(builder, 60_000)
    const forgetful = rememberingToolchain(builder, 0)

    const remembered = [
      await remembering.toolchain(one),
      await remembering.toolchain(one),
      await remembering.toolchain(two),
    ]
    const forgotten = [await forgetful.toolchain(one), await forgetful.toolchain(one)]

    assert.deepEqual(remembered, ['version 1', 'version 1', 'version 2'])
    assert.deepEqual(forgotten, ['version 3', 'version 4'])
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

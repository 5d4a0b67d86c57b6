import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { referencePage } from '../../src/cli/reference.ts'

describe('docs/cli.md', () => {
  it('says what the help says; `node src/cli/reference.ts` writes it', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')

    assert.equal(page, await referencePage())
  })
})

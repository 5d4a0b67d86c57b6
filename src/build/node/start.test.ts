import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { layFiles, refusalOf } from '../trial.ts'
import type { Files } from '../trial.ts'
import { findProject } from './project.ts'
import { startOf } from './start.ts'

let tree: string

beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), 'drover-start-'))
  await mkdir(join(tree, 'shop/node_modules/.bin'), { recursive: true })
  await layFiles(join(tree, 'shop/node_modules/.bin'), { next: '' })
})
afterEach(() => rm(tree, { recursive: true }))

async function startOfShop(files: Files, start?: string): Promise<string> {
  await layFiles(join(tree, 'shop'), files)
  const service = { name: 'shop', path: 'shop', language: 'node' as const, ...(start === undefined ? {} : { start }) }
  const project = await findProject(tree, 'shop')
  return await startOf(service, { tree, project, bins: ['node_modules/.bin'] })
}

describe('start of a Node service', () => {
  const cases: Record<string, readonly [files: Files, start: string | undefined, expected: string]> = {
    'the manifest first': [{ 'package.json': '{"scripts":{"start":"node a.js"}}' }, 'node b.js', 'node b.js'],
    'then scripts.start': [
      { 'package.json': '{"scripts":{"start":"node a.js"},"main":"b.js"}', 'b.js': '' },
      undefined,
      'node a.js',
    ],
    'then main': [{ 'package.json': '{"main":"./lib/b.js"}', 'lib/b.js': '' }, undefined, 'node ./lib/b.js'],
    'main without its ending': [{ 'package.json': '{"main":"b"}', 'b.js': '' }, undefined, 'node b.js'],
    'a folder as main': [{ 'package.json': '{"main":"lib"}', 'lib/index.js': '' }, undefined, 'node lib/index.js'],
    'index.js without a main': [{ 'package.json': '{}', 'index.js': '' }, undefined, 'node index.js'],
    'no package.json at all': [{ 'index.js': '' }, undefined, 'node index.js'],
    'an installed program': [
      { 'package.json': '{"scripts":{"start":"next start"}}' },
      undefined,
      `sh -c 'PATH="$PWD"/node_modules/.bin:"$PATH"; export PATH; exec next start'`,
    ],
  }
  for (const [what, [files, start, expected]] of Object.entries(cases)) {
    it(`is taken from ${what}`, async () => {
      assert.equal(await startOfShop(files, start), expected)
    })
  }

  it('is refused when nothing says it', async () => {
    for (const text of ['{}', '{"main":"gone.js"}', '{"scripts":{"start":" "}}', '{"main":"$(touch x)"}']) {
      assert.equal((await refusalOf(startOfShop({ 'package.json': text }))).problems[0]?.code, 'build/no-start')
    }
  })
})

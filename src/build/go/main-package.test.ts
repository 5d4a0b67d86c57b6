import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { layFiles, refusalOf } from '../trial.ts'
import { findMainPackage } from './main-package.ts'
import { removeSources } from './sources.ts'

const MAIN = 'package main\n\nfunc main() {}\n'
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-go-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('main package of a Go service', () => {
  const places: Record<string, string> = {
    'main.go': '.',
    'cmd/shop/x.go': './cmd/shop',
    'src/main.go': './src',
    'cmd/only/x.go': './cmd/only',
  }
  for (const [file, expected] of Object.entries(places)) {
    it(`is found in ${file}`, async () => {
      const others = { 'lib/lib.go': 'package lib\n', 'tools.go': `//go:build tools\n\n${MAIN}`, 'main_test.go': MAIN }
      await layFiles(folder, { ...others, [file]: MAIN })

      assert.equal(await findMainPackage(folder, 'shop'), expected)
    })
  }

  it('is asked for when there is none, or more than one', async () => {
    const none = await refusalOf(findMainPackage(folder, 'shop'))
    await layFiles(folder, { 'cmd/a/x.go': MAIN, 'cmd/b/x.go': MAIN })
    const several = await refusalOf(findMainPackage(folder, 'shop'))

    assert.equal(none.problems[0]?.code, 'build/no-main-package')
    assert.match(several.problems[0]?.what ?? '', /several programs: \.\/cmd\/a, \.\/cmd\/b/)
  })
})

describe('sources of a Go service', () => {
  it('go, and folders that held nothing else; everything else stays', async () => {
    await layFiles(folder, {
      'go.mod': '',
      'go.sum': '',
      'src/main.go': MAIN,
      'src/deep/er/x_test.go': '',
      'bin/shop': { program: '' },
      'templates/a.html': '',
      'templates/embed.go': '',
      'link.go': { link: 'src/main.go' },
    })

    await removeSources(folder)

    const left = (await readdir(folder, { recursive: true })).sort()
    assert.deepEqual(left, ['bin', 'bin/shop', 'link.go', 'templates', 'templates/a.html'])
  })
})

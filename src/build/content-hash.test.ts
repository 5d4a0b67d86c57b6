import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, cp, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { contentHash } from './content-hash.ts'
import { layFiles, refusalOf } from './trial.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-hash-'))
  await layFiles(join(folder, 'a'), {
    'x/y': '1',
    'x/z': { program: '2' },
    l: { link: 'x/y' },
  })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function hashOf(name: string): Promise<string> {
  return contentHash(join(folder, name)).then((digest) => digest.sha256)
}

describe('content hash', () => {
  it('does not depend on place, time, umask, hard links or the order of writing', async () => {
    await layFiles(join(folder, 'b'), { l: { link: 'x/y' }, 'x/z': { program: '2' } })
    await link(join(folder, 'a/x/y'), join(folder, 'b/x/y'))
    await chmod(join(folder, 'b/x/z'), 0o700)
    await chmod(join(folder, 'b/x'), 0o700)
    await utimes(join(folder, 'b/x/z'), 1, 1)

    assert.deepEqual(await contentHash(join(folder, 'b')), await contentHash(join(folder, 'a')))
    assert.equal((await contentHash(join(folder, 'a'))).bytes, 2)
  })

  const differences: Record<string, (b: string) => Promise<unknown>> = {
    'a byte': (b) => writeFile(join(b, 'x/y'), '3'),
    'a name': (b) => cp(join(b, 'x/y'), join(b, 'x/yy')).then(() => rm(join(b, 'x/y'))),
    'an executable': (b) => chmod(join(b, 'x/y'), 0o755),
    'an empty folder': (b) => mkdir(join(b, 'empty')),
    'an empty file': (b) => writeFile(join(b, 'empty'), ''),
    'a hidden file': (b) => writeFile(join(b, '.env'), ''),
    'where a link leads': (b) => rm(join(b, 'l')).then(() => symlink('x/z', join(b, 'l'))),
    'a file in place of the link to it': (b) => rm(join(b, 'l')).then(() => writeFile(join(b, 'l'), '1')),
    'a file one folder higher': (b) => cp(join(b, 'x/y'), join(b, 'y')).then(() => rm(join(b, 'x/y'))),
  }
  for (const [what, change] of Object.entries(differences)) {
    it(`differs by ${what}`, async () => {
      const b = join(folder, 'b')
      execFileSync('cp', ['-a', join(folder, 'a'), b])
      const before = await hashOf('b')

      await change(b)

      assert.equal(before, await hashOf('a'))
      assert.notEqual(await hashOf('b'), before)
    })
  }

  it('reads a large file to its end', async () => {
    const large = Buffer.alloc(4_500_000, 7)
    await writeFile(join(folder, 'a/large'), large)
    const before = await hashOf('a')

    await writeFile(join(folder, 'a/large'), large.fill(8, 4_400_000, 4_400_001))

    assert.notEqual(await hashOf('a'), before)
  })

  it('takes digests that are known instead of reading', async () => {
    const x = await contentHash(join(folder, 'a/x'))
    const whole = await contentHash(join(folder, 'a'))
    await writeFile(join(folder, 'a/x/y'), 'changed behind its back')

    assert.deepEqual(await contentHash(join(folder, 'a'), new Map([['x', x]])), whole)
  })

  it('follows no link, not even one that leads in a circle', async () => {
    await symlink('..', join(folder, 'a/x/up'))
    await symlink('/nowhere', join(folder, 'a/x/broken'))

    assert.equal((await hashOf('a')).length, 64)
  })

  it('refuses what is no file', async () => {
    execFileSync('mkfifo', [join(folder, 'a/pipe')])

    assert.equal((await refusalOf(hashOf('a'))).problems[0]?.code, 'build/odd-file')
  })
})

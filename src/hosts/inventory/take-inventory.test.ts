import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { chmod, cp, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Refusal } from '../../problem/problem.ts'
import { takeInventory } from './take-inventory.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-inventory-'))
  await mkdir(join(folder, 'a', 'x'), { recursive: true })
  await writeFile(join(folder, 'a/x/y'), '1')
  await writeFile(join(folder, 'a/x/z'), '2', { mode: 0o755 })
  await symlink('x/y', join(folder, 'a/l'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const sha = (text: string): string => hash('sha256', text)

async function digestOf(name: string): Promise<string> {
  return (await takeInventory(join(folder, name))).digest
}

describe('an inventory of a folder', () => {
  it('has everything below it, in order', async () => {
    await mkdir(join(folder, 'a/empty'))
    await writeFile(join(folder, 'a/a\nb c'), '')
    await writeFile(join(folder, 'a/.é'), 'x'.repeat(2_000_000))

    const inventory = await takeInventory(join(folder, 'a'))

    assert.deepEqual(inventory.records, [
      `f 2000000 ${sha('x'.repeat(2_000_000))} .é`,
      `f 0 ${sha('')} a\nb c`,
      'd empty',
      'l l//x/y',
      'd x',
      `f 1 ${sha('1')} x/y`,
      `x 1 ${sha('2')} x/z`,
    ])
  })

  it('does not depend on place, time, umask, hard links or the order of writing', async () => {
    await mkdir(join(folder, 'b/x'), { recursive: true })
    await symlink('x/y', join(folder, 'b/l'))
    await writeFile(join(folder, 'b/x/z'), '2')
    await link(join(folder, 'a/x/y'), join(folder, 'b/x/y'))
    await chmod(join(folder, 'b/x/z'), 0o700)
    await chmod(join(folder, 'b/x'), 0o700)
    await utimes(join(folder, 'b/x/z'), 1, 1)

    assert.deepEqual(await takeInventory(join(folder, 'b')), await takeInventory(join(folder, 'a')))
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
      const before = await digestOf('b')

      await change(b)

      assert.equal(before, await digestOf('a'))
      assert.notEqual(await digestOf('b'), before)
    })
  }

  it('reads a large file to its end', async () => {
    const large = Buffer.alloc(4_500_000, 7)
    await writeFile(join(folder, 'a/large'), large)
    const before = await digestOf('a')

    await writeFile(join(folder, 'a/large'), large.fill(8, 4_400_000, 4_400_001))

    assert.notEqual(await digestOf('a'), before)
  })

  it('takes what is known of folders below instead of reading them', async () => {
    const x = await takeInventory(join(folder, 'a/x'))
    const whole = await takeInventory(join(folder, 'a'))
    await writeFile(join(folder, 'a/x/y'), 'changed behind its back')

    assert.deepEqual(await takeInventory(join(folder, 'a'), new Map([['x', x]])), whole)
  })

  it('follows no link, not even one that leads in a circle', async () => {
    await symlink('..', join(folder, 'a/x/up'))
    await symlink('/nowhere', join(folder, 'a/x/broken'))

    assert.equal((await takeInventory(join(folder, 'a'))).records.length, 6)
  })

  it('refuses what is no file', async () => {
    execFileSync('mkfifo', [join(folder, 'a/pipe')])

    const error = await digestOf('a').catch((error: unknown) => error)

    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/odd-file')
  })
})

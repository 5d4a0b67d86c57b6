import assert from 'node:assert/strict'
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Host, Uploaded } from '../host.ts'
import { takeInventory } from '../inventory/take-inventory.ts'
import { labSshd } from './lab-sshd.ts'
import type { LabSshd } from './lab-sshd.ts'

const FILES = 30

interface Ground {
  readonly host: Host
  readonly from: string
  /** Where it was laid. */
  readonly target: string
  lay(target?: string): Promise<Uploaded | undefined>
}

let grounds = 0

/** An artifact of its own, laid on a host of the file's. */
async function ground(lab: LabSshd, host: Host): Promise<Ground> {
  grounds += 1
  const from = join(lab.folder, `${grounds}`, 'built')
  const shelf = join(lab.folder, `${grounds}`, 'artifacts')
  const target = join(shelf, 'backend', '1')
  await mkdir(join(from, 'lib', 'empty'), { recursive: true })
  for (let file = 0; file < FILES; file += 1) await writeFile(join(from, 'lib', `${file}.js`), `file ${file}`)
  await writeFile(join(from, 'run'), 'program', { mode: 0o755 })
  await symlink('lib/0.js', join(from, 'main.js'))
  const lay: Ground['lay'] = async (where = target) =>
    (await host.uploadAll([{ folder: from, target: where }], { shelf, mends: true }))[0]
  await lay()
  return { host, from, target, lay }
}

const edits: readonly [what: string, edit: (target: string) => Promise<void>, paths: readonly string[]][] = [
  ['a file that was written to', (target) => edited(join(target, 'lib/3.js'), 'FILE 3'), ['lib/3.js']],
  ['a file that was replaced', (target) => replaced(join(target, 'run'), 'Program', 0o555), ['run']],
  ['a file that grew', (target) => edited(join(target, 'lib/3.js'), 'file 3 and more'), ['lib/3.js']],
  ['a file that is gone', (target) => rm(join(target, 'lib/3.js')), ['lib/3.js']],
  ['a file that is new', (target) => writeFile(join(target, 'lib/é\nx'), ''), ['lib/é\nx']],
  ['a folder that is new', (target) => mkdir(join(target, '__pycache__')).then(() => undefined), ['__pycache__']],
  ['a folder that is gone', (target) => rm(join(target, 'lib/empty'), { recursive: true }), ['lib/empty']],
  ['a link that leads elsewhere', (target) => linked(join(target, 'main.js'), 'lib/1.js'), ['main.js']],
  ['a file in the place of a link', (target) => replaced(join(target, 'main.js'), 'x', 0o444), ['main.js']],
  ['a program that cannot be executed', (target) => chmod(join(target, 'run'), 0o444), ['run']],
  ['a file that services cannot read', (target) => chmod(join(target, 'lib/3.js'), 0o400), ['lib/3.js']],
  [
    'all of it',
    (target) => rm(join(target, 'lib'), { recursive: true }),
    ['lib', 'lib/0.js', 'lib/1.js', 'lib/10.js', 'lib/11.js', 'lib/12.js', 'lib/13.js', 'lib/14.js'],
  ],
]

describe('a folder that was laid over ssh', () => {
  const ends: (() => Promise<void>)[] = []
  let lab: LabSshd
  let host: Host
  before(async () => {
    lab = await labSshd({ after: (end) => ends.push(end) })
    host = lab.host()
  })
  after(async () => {
    for (const end of ends) await end()
  })

  test('is as it was laid until somebody alters it', async () => {
    const at = await ground(lab, host)
    const { digest } = await takeInventory(at.from)

    const found = [
      await at.host.compare!([at.target, `${at.target}0`]),
      await at.host.compare!([at.target], { deep: true }),
    ]

    const whole = { there: true, digest, count: 0, paths: [] }
    assert.deepEqual(found, [[whole, { there: false, count: 0, paths: [] }], [whole]])
  })

  for (const [what, edit, paths] of edits) {
    test(`tells of ${what}, and is laid anew with what runs from it left beside`, async () => {
      const at = await ground(lab, host)
      await edit(at.target)

      const [found] = await at.host.compare!([at.target])
      const mended = await at.lay()
      const again = await at.lay()

      assert.deepEqual(found?.paths.slice(0, paths.length), paths)
      assert.deepEqual([mended?.mended, mended?.skipped, again?.mended, again?.skipped], [true, false, undefined, true])
      assert.equal((await takeInventory(at.target)).digest, found?.digest)
      assert.ok((await stat(aside(at.target))).isDirectory())
    })
  }

  test('sends only what was altered', async () => {
    const at = await ground(lab, host)
    await edited(join(at.target, 'lib/3.js'), 'FILE 3')

    const mended = await at.lay()

    assert.equal(mended?.sent, 'file 3'.length)
  })

  test('tells of a file whose time was set back only when all are read', async () => {
    const at = await ground(lab, host)
    const file = join(at.target, 'lib/3.js')
    await chmod(file, 0o644)
    const before = await stat(file)
    // Only whole microseconds can be set from here, so they are set before as well.
    await utimes(file, before.atime, 1_700_000_000)
    await resealed(at, file)
    await writeFile(file, 'FILE 3')
    await utimes(file, before.atime, 1_700_000_000)

    const [cheap] = await at.host.compare!([at.target])
    const [deep] = await at.host.compare!([at.target], { deep: true })

    assert.deepEqual([cheap?.count, deep?.paths], [0, ['lib/3.js']])
  })

  test('is whole though all its inodes are others, as after a restore from a backup', async () => {
    const at = await ground(lab, host)
    await cp(at.target, `${at.target}.copy`, { recursive: true, verbatimSymlinks: true })
    await rm(at.target, { recursive: true })
    await rename(`${at.target}.copy`, at.target)

    const [found] = await at.host.compare!([at.target])
    const laid = await at.lay()

    assert.deepEqual([found?.count, laid?.skipped], [0, true])
  })

  for (const [what, text] of [
    ['gone', undefined],
    ['empty', ''],
    ['torn', 'drover-inventory-1\0'],
    ['of something else', 'drover-inventory-1\0abc\u00000\0'],
  ] as const) {
    test(`is laid anew when its inventory is ${what}`, async () => {
      const at = await ground(lab, host)
      const inventory = at.target.replace(/1$/, '.1.inventory')
      await rm(inventory)
      if (text !== undefined) await writeFile(inventory, text)

      const [found] = await at.host.compare!([at.target])
      const laid = await at.lay()

      assert.equal(found?.digest, undefined)
      assert.equal(laid?.mended, true)
      assert.equal((await at.host.compare!([at.target]))[0]?.count, 0)
    })
  }

  test('shares its fate with those that share its files', async () => {
    const at = await ground(lab, host)
    const other = at.target.replace(/1$/, '2')
    await at.lay(other)
    await edited(join(at.target, 'lib/3.js'), 'FILE 3')

    const found = await at.host.compare!([at.target, other])
    const mended = [await at.lay(), await at.lay(other)]

    assert.deepEqual(
      found.map(({ paths }) => paths),
      [['lib/3.js'], ['lib/3.js']],
    )
    assert.deepEqual(
      mended.map((one) => one?.mended),
      [true, true],
    )
    assert.equal(await readFile(join(other, 'lib/3.js'), 'utf8'), 'file 3')
  })
})

function aside(target: string): string {
  return target.replace(/1$/, '.1.altered')
}

async function edited(file: string, text: string): Promise<void> {
  await chmod(file, 0o644)
  await writeFile(file, text)
  await chmod(file, 0o444)
}

async function replaced(file: string, text: string, mode: number): Promise<void> {
  await rm(file)
  await writeFile(file, text, { mode })
}

async function linked(file: string, to: string): Promise<void> {
  await rm(file)
  await symlink(to, file)
}

/** Makes the inventory say of a file what it is now, as if it had been laid so. */
async function resealed({ target }: Ground, file: string): Promise<void> {
  const inventory = target.replace(/1$/, '.1.inventory')
  const { ino, mode, uid, size } = await stat(file)
  const seal = `${ino} 1700000000.000000000 ${size} ${(mode & 0o777).toString(8)} ${uid}`
  const words = (await readFile(inventory, 'utf8')).split('\0')
  const at = words.findIndex((word) => word.startsWith(`${ino} `))
  await writeFile(inventory, words.with(at, seal).join('\0'))
}

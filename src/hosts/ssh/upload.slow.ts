import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import type { Command, Host, Uploaded } from '../host.ts'
import { inventories } from '../inventory/inventories.ts'
import { takeInventory } from '../inventory/take-inventory.ts'
import { localHost } from '../local/local-host.ts'
import { kill, labSshd } from './lab-sshd.ts'
import type { LabSshd } from './lab-sshd.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a file system that is small enough to fill'

/** Artifacts of two services with the same dependencies, and a second version of one of them. */
interface Ground {
  readonly lab: LabSshd
  readonly host: Host
  readonly shelf: string
  folder(name: string): string
  target(name: string): string
  lay(names: readonly string[], host?: Host): Promise<readonly Uploaded[]>
}

const DEPENDENCY_BYTES = 400_000

async function ground(t: TestContext): Promise<Ground> {
  const lab = await labSshd(t)
  const shelf = join(lab.folder, 'artifacts')
  const folder = (name: string): string => join(lab.folder, 'built', name)
  const target = (name: string): string => join(shelf, name)
  for (const name of ['backend/1', 'backend/2', 'coupon/1']) {
    await mkdir(join(folder(name), 'node_modules', 'large'), { recursive: true })
    await writeFile(join(folder(name), 'node_modules', 'large', 'data'), 'd'.repeat(DEPENDENCY_BYTES))
    await writeFile(join(folder(name), 'node_modules', 'run'), 'program', { mode: 0o755 })
    await writeFile(join(folder(name), 'main.js'), `main of ${name}`)
  }
  const host = lab.host()
  return {
    lab,
    host,
    shelf,
    folder,
    target,
    lay: (names, by = host) =>
      by.uploadAll(
        names.map((name) => ({ folder: folder(name), target: target(name) })),
        { shelf },
      ),
  }
}

/** Some 3 MB a second. */
const SLOWLY = "perl -e 'while (sysread STDIN, my $b, 65536) { syswrite STDOUT, $b; select undef, undef, undef, 0.02 }'"

const DEPENDENCY = 'node_modules/large/data'
const MAIN_BYTES = 'main of backend/1'.length

describe('an upload over ssh sends what the host lacks', () => {
  test('once for several folders', async (t) => {
    const at = await ground(t)

    const results = await at.lay(['backend/1', 'coupon/1'])

    assert.equal(results[0]?.sent, DEPENDENCY_BYTES + 'program'.length + MAIN_BYTES)
    assert.equal(results[1]?.sent, 'main of coupon/1'.length)
    assert.equal(await inode(at, 'backend/1'), await inode(at, 'coupon/1'))
    assert.equal(await readFile(join(at.target('coupon/1'), DEPENDENCY), 'utf8'), 'd'.repeat(DEPENDENCY_BYTES))
  })

  test('and links the rest from an earlier one, which nobody may write to', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])

    const [second] = await at.lay(['backend/2'])

    assert.equal(second?.sent, MAIN_BYTES)
    assert.equal(await inode(at, 'backend/1'), await inode(at, 'backend/2'))
    assert.equal((await stat(join(at.target('backend/2'), DEPENDENCY))).mode & 0o777, 0o444)
    assert.equal((await stat(join(at.target('backend/2'), 'node_modules/run'))).mode & 0o777, 0o555)
  })

  test('of a new service, from what lies on the shelf', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])

    const [coupon] = await at.lay(['coupon/1'])

    assert.equal(coupon?.sent, 'main of coupon/1'.length)
  })

  test('though another machine laid what lies there', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])
    const stranger = at.lab.host({ inventories: inventories(join(at.lab.folder, 'elsewhere')) })

    const [second] = await at.lay(['backend/2'], stranger)
    const [third] = await at.lay(['coupon/1'], stranger)

    assert.equal(second?.sent, MAIN_BYTES)
    assert.equal(third?.sent, 'main of coupon/1'.length)
  })

  test('and does not read a folder that is known', async (t) => {
    const at = await ground(t)
    const inventory = await takeInventory(at.folder('backend/1'))
    await writeFile(join(at.folder('backend/1'), 'main.js'), 'wain of backend/1')

    const error = await refused(
      at.host.uploadAll([
        {
          folder: at.folder('backend/1'),
          target: at.target('backend/1'),
          inventory: () => Promise.resolve(inventory),
        },
      ]),
    )

    assert.equal(error.problems[0]?.code, 'hosts/upload-altered')
    assert.match(error.problems[0].what, /main\.js/)
  })
})

describe('an upload over ssh does not pass on', () => {
  test('what was altered by hand where it lay', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])
    const file = join(at.target('backend/1'), DEPENDENCY)
    await chmod(file, 0o644)
    await writeFile(file, 'e'.repeat(DEPENDENCY_BYTES))
    await chmod(file, 0o444)

    const [second] = await at.lay(['backend/2'])

    assert.equal(second?.sent, DEPENDENCY_BYTES + MAIN_BYTES)
    assert.equal(await readFile(join(at.target('backend/2'), DEPENDENCY), 'utf8'), 'd'.repeat(DEPENDENCY_BYTES))
    assert.equal(await readFile(file, 'utf8'), 'e'.repeat(DEPENDENCY_BYTES))
  })

  test('what was put in the place of a file, times and all', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])
    const file = join(at.target('backend/1'), DEPENDENCY)
    const { atime, mtime } = await stat(file)
    await rm(file)
    await writeFile(file, 'e'.repeat(DEPENDENCY_BYTES), { mode: 0o444 })
    await utimes(file, atime, mtime)

    await at.lay(['backend/2'])

    assert.equal(await readFile(join(at.target('backend/2'), DEPENDENCY), 'utf8'), 'd'.repeat(DEPENDENCY_BYTES))
  })

  test('what an inventory says that was torn or made up', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])
    const file = join(at.shelf, 'backend', '.1.inventory')
    const text = await readFile(file, 'utf8')
    for (const [number, wrong] of [text.slice(0, 150), text.replace('main.js', 'wain.js')].entries()) {
      await writeFile(file, wrong)
      const target = `${at.target('backend/2')}-${number}`

      const uploaded = await at.host.upload(at.folder('backend/2'), target)

      assert.equal(uploaded.skipped, false)
      assert.equal(await readFile(join(target, 'main.js'), 'utf8'), 'main of backend/2')
      assert.equal(await readFile(join(target, DEPENDENCY), 'utf8'), 'd'.repeat(DEPENDENCY_BYTES))
      await rm(target, { recursive: true })
    }
  })

  test('what goes away while it is drawn on', async (t) => {
    const at = await ground(t)
    await at.lay(['backend/1'])
    const vanishing = at.lab.host({
      run: async (command, options) => {
        if (command.argv.includes('feed')) await rm(at.target('backend/1'), { recursive: true, force: true })
        return await localHost().run(command, options)
      },
    })

    const [second] = await at.lay(['backend/2'], vanishing)

    assert.equal(second?.sent, DEPENDENCY_BYTES + 'program'.length + MAIN_BYTES)
    assert.equal(await readFile(join(at.target('backend/2'), DEPENDENCY), 'utf8'), 'd'.repeat(DEPENDENCY_BYTES))
  })
})

describe('an upload over ssh lays nothing', () => {
  const alterations: readonly [name: string, alter: (file: string) => Promise<void>][] = [
    ['a byte that became another one', (file) => writeFile(file, 'main of backend/!')],
    ['a file that lost its end', (file) => truncate(file, 5)],
    ['a file that grew', (file) => writeFile(file, 'main of backend/1 and more')],
    ['a file that went away', (file) => rm(file)],
  ]
  for (const [name, alter] of alterations) {
    test(`of what was altered on the way: ${name}`, async (t) => {
      const at = await ground(t)
      const run: Host['run'] = async (command, options) => {
        if (command.argv.includes('feed')) await alter(join(at.folder('backend/1'), 'main.js'))
        return await localHost().run(command, options)
      }

      const error = await refused(at.lay(['backend/1', 'coupon/1'], at.lab.host({ run })))

      assert.equal(error.problems[0]?.code, 'hosts/upload-altered', error.message)
      assert.match(error.problems[0].where.at ?? '', /web-1.*backend\/1/)
      assert.match(error.problems[0].what, /^main\.js /)
      assert.deepEqual(await readdir(join(at.shelf, 'backend')), [])
      assert.deepEqual(await readdir(join(at.shelf, 'coupon')), [])
    })
  }

  test('of what the line made something else of', async (t) => {
    const at = await ground(t)
    const noisy: Host['run'] = async (command, options) =>
      await localHost().run(throughFilter(command, 'sed s/main.of.coupon/main_of_coupon/'), options)

    const error = await refused(at.lay(['backend/1', 'coupon/1'], at.lab.host({ run: noisy })))

    assert.equal(error.problems[0]?.code, 'hosts/upload-altered', error.message)
    assert.match(error.problems[0].where.at ?? '', /coupon\/1/)
    assert.equal(error.problems[0].what, 'main.js was altered on the way')
    assert.deepEqual(await readdir(join(at.shelf, 'backend')), [])
  })

  test('when the line is cut off; what was whole by then need not be sent again', async (t) => {
    const at = await ground(t)
    await localHost().run({ program: 'truncate', argv: ['-s', '300M', join(at.folder('coupon/1'), 'huge')] })
    const uploading = refused(at.lay(['backend/1', 'coupon/1']))
    await until(() => existsSync(join(at.shelf, 'coupon')))

    for (const pid of await at.lab.children()) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (line.startsWith('sshd')) kill(pid)
    }
    await uploading

    await until(() => readdirSync(join(at.shelf, 'coupon')).length === 0)
    assert.deepEqual(
      (await at.lay(['backend/1', 'backend/2'])).map(({ skipped, sent }) => (skipped ? 'there' : sent)),
      ['there', MAIN_BYTES],
    )
  })

  test('when it does not fit, and says so', { skip }, async (t) => {
    const lab = await labSshd(t)
    const [from, disk] = [join(lab.folder, 'from'), join(lab.folder, 'disk')]
    const local = localHost()
    await local.run({ program: 'mkdir', argv: [from, disk] })
    await local.run({ program: 'mount', argv: ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', disk] })
    await writeFile(join(from, 'large'), Buffer.alloc(1_000_000, 'x'))

    const error = await lab
      .host()
      .upload(from, join(disk, 'artifact'))
      .catch((error: unknown) => error)
    const left = await readdir(disk)
    await local.run({ program: 'umount', argv: ['-l', disk] })

    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/disk-full', error.message)
    assert.match(error.message, /web-1/)
    assert.deepEqual(left, [])
  })

  test('of a folder that holds what cannot be sent', async (t) => {
    const at = await ground(t)
    await localHost().run({ program: 'mkfifo', argv: [join(at.folder('backend/1'), 'pipe')] })

    const error = await refused(at.lay(['backend/1']))

    assert.match(error.message, /pipe.*is neither a file, a folder nor a link/)
    assert.ok(!existsSync(at.shelf))
  })
})

describe('an upload over ssh', () => {
  test('clears what uploads that died left, and nothing else', async (t) => {
    const at = await ground(t)
    const folder = join(at.shelf, 'backend')
    for (const name of ['.1.part-77', '.7.part-78', '.7.part-78-1', 'part-79']) {
      await mkdir(join(folder, name), { recursive: true })
    }
    await writeFile(join(folder, '.1.part-77.inventory'), 'x')

    await at.lay(['backend/1'])

    assert.deepEqual((await readdir(folder)).toSorted(), ['.1.inventory', '.7.part-78-1', '1', 'part-79'])
  })

  test('of thousands of small files and a large one', { timeout: 120_000 }, async (t) => {
    const at = await ground(t)
    const from = at.folder('many/1')
    for (let folder = 0; folder < 100; folder += 1) {
      await mkdir(join(from, String(folder)), { recursive: true })
      for (let file = 0; file < 50; file += 1) {
        await writeFile(join(from, String(folder), `f ${file}`), `${folder}/${file} `.repeat(300))
      }
    }
    await localHost().run({
      program: 'sh',
      argv: ['-c', 'yes "a line of a large file" | head -c 200000000 >"$1"', 'sh', join(from, 'large')],
    })
    await cp(from, at.folder('many/2'), { recursive: true })
    await writeFile(join(at.folder('many/2'), '7', 'f 7'), 'changed')

    const [first] = await at.lay(['many/1'])
    const [second] = await at.lay(['many/2'])

    assert.ok((first?.bytes ?? 0) > 200_000_000)
    assert.equal(first?.sent, first?.bytes)
    assert.equal(second?.sent, 'changed'.length)
    const compared = await localHost().run({ program: 'diff', argv: ['-r', at.folder('many/2'), at.target('many/2')] })
    assert.equal(compared.stdout, '')
    assert.ok(compared.ok)
  })

  for (const packer of ['zstd', 'gzip'] as const) {
    test(`over a line that turns out slow is packed with ${packer}`, async (t) => {
      const at = await ground(t)
      const packed: string[] = []
      const slow: Host['run'] = async (command, options) => {
        const feed = command.argv.indexOf('feed')
        if (command.argv.includes('command -v zstd') && packer === 'gzip') {
          return await localHost().run({ program: 'false', argv: [] })
        }
        if (feed === -1) return await localHost().run(command, options)
        packed.push(command.argv[feed + 1] ?? '')
        return await localHost().run(throughFilter(command, SLOWLY), options)
      }
      await writeFile(join(at.folder('backend/1'), 'large'), Buffer.alloc(6_000_000, 'x'))
      await writeFile(join(at.folder('backend/2'), 'large'), Buffer.alloc(6_000_000, 'y'))
      const host = at.lab.host({ run: slow })

      await at.lay(['backend/1'], host)
      const [second] = await at.lay(['backend/2'], host)

      assert.deepEqual(packed, ['', packer])
      assert.equal(second?.sent, 6_000_000 + MAIN_BYTES)
      assert.deepEqual(await readFile(join(at.target('backend/2'), 'large')), Buffer.alloc(6_000_000, 'y'))
    })
  }
})

async function inode(at: Ground, name: string): Promise<number> {
  return (await stat(join(at.target(name), DEPENDENCY))).ino
}

/** Something on this machine's end of the line through which all contents go. */
function throughFilter(command: Command, filter: string): Command {
  const feed = command.argv.indexOf('feed')
  if (feed === -1) return command
  const [before, ssh] = [command.argv.slice(0, feed + 4), command.argv.slice(feed + 4)]
  return { ...command, argv: [...before, 'sh', '-c', `${filter} | "$@"`, 'filter', ...ssh] }
}

async function until(condition: () => boolean): Promise<void> {
  for (let polls = 0; polls < 4000 && !condition(); polls += 1) await sleep(5)
  assert.ok(condition(), 'what was waited for did not happen within 20 s')
}

async function refused(work: Promise<unknown>): Promise<Refusal> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof Refusal, String(error))
  return error
}

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import type { Host } from '../host.ts'
import { localHost } from '../local/local-host.ts'
import { kill, labSshd } from './lab-sshd.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a file system that is small enough to fill'

describe('an upload over ssh', () => {
  test('refuses what was altered on the way and leaves nothing', async (t) => {
    const lab = await labSshd(t)
    const [from, to] = [join(lab.folder, 'from'), join(lab.folder, 'new', 'to')]
    await localHost().run({ program: 'mkdir', argv: [from] })
    await writeFile(join(from, 'f'), 'right')
    const run: Host['run'] = async (command, options) => {
      if (command.argv.includes('feed')) await writeFile(join(from, 'f'), 'wrong')
      return await localHost().run(command, options)
    }

    const error = await lab
      .host({ run })
      .upload(from, to)
      .catch((error: unknown) => error)

    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/upload-altered')
    assert.deepEqual(await readdir(join(lab.folder, 'new')), [])
  })

  test('clears what an upload that died left, and nothing else', async (t) => {
    const lab = await labSshd(t)
    const folder = join(lab.folder, 'store')
    await localHost().run({
      program: 'mkdir',
      argv: ['-p', join(folder, '.to.part-77'), join(folder, '.other.part-77')],
    })
    await localHost().run({ program: 'mkdir', argv: [join(lab.folder, 'from')] })

    await lab.host().upload(join(lab.folder, 'from'), join(folder, 'to'))

    assert.deepEqual((await readdir(folder)).toSorted(), ['.other.part-77', 'to'])
  })

  test('that is cut off lays nothing', async (t) => {
    const lab = await labSshd(t)
    const [from, to] = [join(lab.folder, 'from'), join(lab.folder, 'new', 'to')]
    await localHost().run({ program: 'mkdir', argv: [from] })
    await localHost().run({ program: 'truncate', argv: ['-s', '300M', join(from, 'f')] })
    const uploading = lab
      .host()
      .upload(from, to)
      .catch((error: unknown) => error)
    while (!existsSync(join(lab.folder, 'new'))) await sleep(5)

    for (const pid of await lab.children()) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (line.startsWith('sshd')) kill(pid)
    }
    const error = await uploading

    assert.ok(error instanceof Refusal)
    while ((await readdir(join(lab.folder, 'new'))).length > 0) await sleep(5)
    assert.ok(!existsSync(to))
  })

  test('that does not fit says so and leaves nothing', { skip }, async (t) => {
    const lab = await labSshd(t)
    const [from, disk] = [join(lab.folder, 'from'), join(lab.folder, 'disk')]
    const local = localHost()
    await local.run({ program: 'mkdir', argv: [from, disk] })
    await local.run({ program: 'mount', argv: ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', disk] })
    await writeFile(join(from, 'large'), Buffer.alloc(1_000_000))

    const error = await lab
      .host()
      .upload(from, join(disk, 'artifact'))
      .catch((error: unknown) => error)
    const left = await readdir(disk)
    await local.run({ program: 'umount', argv: ['-l', disk] })

    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/disk-full', error.message)
    assert.deepEqual(left, [])
  })
})

import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Refusal } from '../problem/problem.ts'
import { act } from './act.ts'
import { scratch } from './conformance-scratch.ts'
import type { Make } from './conformance-scratch.ts'

/** What every driver has to pass that lays folders on a host. */
export function uploadSuite(make: Make): void {
  test('lays a folder with its links, programs, empty files and folders, whatever their names', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    const from = join(folder, 'from')
    const hostile = ['with blank', "it's", 'a\nb', '-n', 'é😀', '*', '"$(id)"', '\\x', '.hidden', 'a => b', 'd x']
    await mkdir(join(from, 'deep', 'empty'), { recursive: true })
    await mkdir(join(from, 'odd'))
    await writeFile(join(from, 'run.sh'), 'x', { mode: 0o755 })
    await writeFile(join(from, 'data'), 'x', { mode: 0o640 })
    await writeFile(join(from, 'nothing'), '')
    for (const name of hostile) await writeFile(join(from, 'odd', name), `in ${name}`)
    await symlink('../run.sh', join(from, 'deep', 'link'))
    await symlink('/no/such//place\n', join(from, 'dangling'))
    await symlink('deep', join(from, 'folder'))

    const [result] = await host.uploadAll([{ folder: from, target: join(folder, 'new', "it's", 'to') }])

    const target = join(folder, 'new', "it's", 'to')
    assert.equal(result?.skipped, false)
    assert.ok(result.bytes > 0)
    assert.deepEqual(
      (await readdir(target, { recursive: true })).toSorted(),
      (await readdir(from, { recursive: true })).toSorted(),
    )
    assert.equal(await readFile(join(target, 'run.sh'), 'utf8'), 'x')
    assert.equal((await stat(join(target, 'run.sh'))).mode & 0o111, 0o111)
    assert.equal((await stat(join(target, 'data'))).mode & 0o111, 0)
    assert.equal((await stat(join(target, 'nothing'))).size, 0)
    assert.ok((await stat(join(target, 'deep', 'empty'))).isDirectory())
    for (const name of hostile) assert.equal(await readFile(join(target, 'odd', name), 'utf8'), `in ${name}`)
    assert.equal(await readlink(join(target, 'deep', 'link')), '../run.sh')
    assert.equal(await readlink(join(target, 'dangling')), '/no/such//place\n')
    assert.equal(await readlink(join(target, 'folder')), 'deep')
    assert.deepEqual(await laidIn(join(target, '..')), ['to'])
  })

  test('leaves a target that exists as it is', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    await mkdir(join(folder, 'from'))
    await writeFile(join(folder, 'from', 'f'), 'new')
    await mkdir(join(folder, 'to'))
    await writeFile(join(folder, 'to', 'f'), 'old')

    const result = await host.upload(join(folder, 'from'), join(folder, 'to'))

    assert.deepEqual(result, { bytes: 0, sent: 0, skipped: true })
    assert.equal(await readFile(join(folder, 'to', 'f'), 'utf8'), 'old')
  })

  test('lays nothing under a number that has been overtaken, and all under one that has not', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    const root = join(folder, 'root')
    await mkdir(join(folder, 'from'))
    await writeFile(join(folder, 'from', 'f'), 'x')
    const parcel = { folder: join(folder, 'from'), target: join(root, 'to') }
    await act(host, { root, number: 7 }, [])

    const refused: unknown = await host
      .uploadAll([parcel], { fence: { root, number: 6 } })
      .catch((error: unknown) => error)
    const isThere = await stat(parcel.target).catch(() => undefined)
    const [laid] = await host.uploadAll([parcel], { fence: { root, number: 7 } })

    assert.ok(refused instanceof Refusal, String(refused))
    assert.equal(refused.problems[0]?.code, 'hosts/fenced')
    assert.match(refused.message, /release 6 may not change .*: release 7 has taken over/)
    assert.equal(isThere, undefined)
    assert.equal(laid?.skipped, false)
  })

  test('lays several folders in one call, and asks for those only that the host lacks', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    const targets = ['a', 'b', 'c'].map((service) => join(folder, 'artifacts', service, '1'))
    for (const service of ['a', 'b', 'c']) {
      await mkdir(join(folder, service))
      await writeFile(join(folder, service, 'f'), service)
      await writeFile(join(folder, service, 'equal'), 'in all of them')
    }
    await host.upload(join(folder, 'b'), targets[1]!)

    const results = await host.uploadAll(
      [
        { folder: join(folder, 'a'), target: targets[0]! },
        { folder: () => Promise.reject(new Error('asked')), target: targets[1]! },
        { folder: () => Promise.resolve(join(folder, 'c')), target: targets[2]! },
      ],
      { shelf: join(folder, 'artifacts') },
    )
    const none = await host.uploadAll([])

    assert.deepEqual(
      results.map(({ skipped }) => skipped),
      [false, true, false],
    )
    assert.deepEqual(await Promise.all(targets.map((target) => readFile(join(target, 'f'), 'utf8'))), ['a', 'b', 'c'])
    assert.deepEqual(none, [])
  })

  test('lays one folder for many at the same time', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    await mkdir(join(folder, 'from'))
    await writeFile(join(folder, 'from', 'f'), 'x')

    const results = await Promise.all(
      Array.from({ length: 6 }, () => host.upload(join(folder, 'from'), join(folder, 'to'))),
    )

    assert.equal(results.filter((result) => !result.skipped).length, 1)
    assert.deepEqual(await laidIn(folder), ['from', 'to'])
    assert.deepEqual(await readdir(join(folder, 'to')), ['f'])
  })

  test('leaves nothing of a folder that is not there', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)

    await assert.rejects(() => host.upload(join(folder, 'nowhere'), join(folder, 'to')), { name: 'Refusal' })

    assert.deepEqual(await readdir(folder), [])
  })
}

/** Without what a driver keeps about it beside it. */
async function laidIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !/^\..+\.inventory$/.test(name)).toSorted()
}

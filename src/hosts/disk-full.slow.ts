import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Refusal } from '../problem/problem.ts'
import { act } from './act.ts'
import { diskSpace } from './disk.ts'
import type { Host } from './host.ts'
import { localHost } from './local/local-host.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a file system that is small enough to fill'

test('a disk that fills up in the middle leaves old files whole, and says so', { skip }, async (t) => {
  const host = localHost()
  const root = await smallDisk(t, host)
  const fence = { root, number: 1 }
  await act(host, fence, [{ kind: 'write', path: `${root}/config`, content: 'old' }])

  const work = act(host, fence, [
    { kind: 'write', path: `${root}/first`, content: 'x'.repeat(60_000) },
    { kind: 'write', path: `${root}/config`, content: 'x'.repeat(60_000) },
    { kind: 'write', path: `${root}/after`, content: '' },
  ])

  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/disk-full')
    assert.match(error.message, /could not write .*config \(exit code 1\): .*No space left on device/)
    return true
  })
  assert.equal(await readFile(`${root}/config`, 'utf8'), 'old')
  assert.ok(!existsSync(`${root}/after`))
  assert.deepEqual(await readdir(`${root}/work`), [])
})

test('a disk that is full already is told apart from a fence that cannot be taken', { skip }, async (t) => {
  const host = localHost()
  const root = await smallDisk(t, host)
  await host.run({ program: 'sh', argv: ['-c', 'head -c 1000000 /dev/zero >"$1"', 'sh', join(root, 'filler')] })

  const work = act(host, { root, number: 1 }, [])

  await assert.rejects(work, (error) => error instanceof Refusal && error.problems[0]?.code === 'hosts/disk-full')
  assert.equal((await diskSpace(host, root)).freeBytes, 0)
})

test('an upload that does not fit leaves nothing', { skip }, async (t) => {
  const host = localHost()
  const root = await smallDisk(t, host)
  const folder = await mkdtemp(join(tmpdir(), 'drover-large-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'large'), Buffer.alloc(1_000_000))

  await assert.rejects(
    host.upload(folder, join(root, 'artifact')),
    /No space left on device\n {2}HINT: The disk of the host is full/,
  )

  assert.deepEqual(await readdir(root), [])
})

/** A file system of 100 KiB. */
async function smallDisk(t: TestContext, host: Host): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'drover-small-'))
  const mounted = await host.run({ program: 'mount', argv: ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', root] })
  t.after(async () => {
    await host.run({ program: 'umount', argv: [root] })
    await rm(root, { recursive: true })
  })
  assert.ok(mounted.ok, mounted.stderr)
  return root
}

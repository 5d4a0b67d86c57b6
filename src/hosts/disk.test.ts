import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskSpace, readDf } from './disk.ts'
import { localHost } from './local/local-host.ts'
import { printingHost } from './printing/printing-host.ts'

test('the space of a folder that does not exist yet is that of the one it will be in', async () => {
  const [there, later] = await Promise.all(
    [tmpdir(), join(tmpdir(), 'drover no such', "folder it's")].map((folder) => diskSpace(localHost(), folder)),
  )

  assert.ok(there !== undefined && there.freeBytes > 0 && there.totalBytes > there.freeBytes)
  assert.equal(later?.totalBytes, there.totalBytes)
})

test('df is read: sizes in KiB, a device with a blank, inodes where there are any', () => {
  const blocks = 'Filesystem 1024-blocks Used Available Capacity Mounted on\n//nas/my share 1000 400 500 45% /mnt\n'
  const inodes = 'Filesystem Inodes IUsed IFree IUse% Mounted on\n//nas/my share 90 30 60 34% /mnt\n'
  const none = 'Filesystem Inodes IUsed IFree IUse% Mounted on\n//nas/my share 0 0 0 - /mnt\n'

  const read = [readDf(blocks + inodes), readDf(blocks + none), readDf('df: no such thing\n')]

  assert.deepEqual(read, [
    { totalBytes: 1_024_000, freeBytes: 512_000, freeInodes: 60 },
    { totalBytes: 1_024_000, freeBytes: 512_000, freeInodes: undefined },
    undefined,
  ])
})

test('an answer that is no answer of df is a refusal', async () => {
  await assert.rejects(() => diskSpace(printingHost(), '/srv'), {
    message: 'host printing: cannot measure the disk of /srv: unreadable answer of df',
  })
})

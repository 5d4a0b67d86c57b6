import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** Why there can be none, for `skip`. */
export const NO_SMALL_DISK = process.getuid?.() === 0 ? false : 'needs root, to mount a file system that can be filled'

/** A file system in memory whose size can be changed while it is in use: full and roomy without writing anything. */
export interface SmallDisk {
  readonly folder: string
  /** Before use, and after everything that uses it has been told to end with the test. */
  mount(t: TestContext, megabytes: number): void
  resize(megabytes: number): void
  /** Leaves no room at all. */
  fill(): Promise<void>
}

/** The folder only, so that it can be named before it is mounted. */
export async function smallDisk(): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-disk-'))
  const remount = (kilobytes: number): void => {
    execFileSync('mount', ['-o', `remount,size=${kilobytes}k`, folder], { stdio: 'pipe' })
  }
  return {
    folder,
    mount: (t, megabytes) => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder])
      t.after(async () => {
        execFileSync('umount', [folder])
        await rm(folder, { recursive: true })
      })
    },
    resize: (megabytes) => remount(megabytes * 1024),
    fill: async () => {
      // What is written between the look and the change makes the change fail: look again.
      for (let tries = 1; ; tries++) {
        const { blocks, bfree, bsize } = await statfs(folder)
        try {
          return remount(((blocks - bfree) * bsize) / 1024)
        } catch (error) {
          if (tries === 20) throw error
        }
      }
    },
  }
}

import { refusal } from '../problem/problem.ts'
import type { Host, RunOptions } from './host.ts'

export interface DiskSpace {
  /** What an ordinary user may still write. */
  readonly freeBytes: number
  readonly totalBytes: number
  /** undefined on file systems that make inodes as they need them. */
  readonly freeInodes: number | undefined
}

/** Looks at the nearest folder that exists, so that the space for one not made yet is known. */
const SCRIPT = `folder=$1
while [ ! -e "$folder" ]; do folder=$(dirname -- "$folder"); done
df -Pk -- "$folder" && df -Pi -- "$folder"`

/** The space of the file system that holds a folder of a host, with one command. */
export async function diskSpace(host: Host, folder: string, options: RunOptions = {}): Promise<DiskSpace> {
  const outcome = await host.run({ program: 'sh', argv: ['-c', SCRIPT, 'disk', folder] }, options)
  const space = outcome.ok ? readDf(outcome.stdout) : undefined
  if (space === undefined) {
    const said = outcome.stderr.trim() === '' ? (outcome.failure ?? 'unreadable answer of df') : outcome.stderr.trim()
    throw refusal('hosts/disk', `host ${host.name}`, `cannot measure the disk of ${folder}: ${said}`)
  }
  return space
}

/** Reads `df -Pk` followed by `df -Pi`: two headings with one line each. The device's name may hold blanks. */
export function readDf(text: string): DiskSpace | undefined {
  const [, blocks = '', , inodes = ''] = text.split('\n')
  const sizes = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/.exec(blocks)
  const counts = /\s(\d+)\s+\d+\s+(\d+)\s+(?:\d+%|-)\s/.exec(inodes)
  if (sizes === null) {
    return undefined
  }
  const freeInodes = counts === null || counts[1] === '0' ? undefined : Number(counts[2])
  return { totalBytes: Number(sizes[1]) * 1024, freeBytes: Number(sizes[2]) * 1024, freeInodes }
}

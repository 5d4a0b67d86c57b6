import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { lineSplitter } from '../line-splitter.ts'
import type { LineSplitter } from '../line-splitter.ts'

const POLL_MS = 100
const CHUNK_BYTES = 64 * 1024
/** How far back the last lines are looked for. */
const LONGEST_TAIL_BYTES = 4 * 1024 * 1024

/**
 * Hands over the last `lines` lines of each file, then each line as it is written, until the signal aborts. A file
 * may appear later, be truncated (read from its new start) or be replaced by another (the old one is read to its
 * end first).
 */
export async function followLocally(
  files: readonly string[],
  options: { lines: number; signal: AbortSignal; onLine: (file: string, line: string) => void },
): Promise<void> {
  await Promise.all(files.map((file) => followOne(file, { ...options, onLine: (line) => options.onLine(file, line) })))
}

interface FollowOne {
  readonly lines: number
  readonly signal: AbortSignal
  readonly onLine: (line: string) => void
}

interface Opened {
  readonly handle: FileHandle
  readonly inode: number
  readonly splitter: LineSplitter
  offset: number
}

async function followOne(file: string, options: FollowOne): Promise<void> {
  let opened: Opened | undefined
  let lines = options.lines
  try {
    while (!options.signal.aborted) {
      if (opened === undefined) {
        opened = await openAtTail(file, lines, options.onLine)
      } else {
        await readOn(opened)
        if (await replaced(file, opened.inode)) {
          await readOn(opened)
          await finish(opened)
          opened = undefined
          // All of the successor is new to the follower.
          lines = Number.POSITIVE_INFINITY
          continue
        }
      }
      await sleep(POLL_MS, undefined, { signal: options.signal }).catch(() => {})
    }
  } finally {
    if (opened !== undefined) {
      await finish(opened)
    }
  }
}

async function openAtTail(file: string, lines: number, onLine: (line: string) => void): Promise<Opened | undefined> {
  const handle = await open(file).catch(() => undefined)
  if (handle === undefined) {
    return undefined
  }
  const { ino, size } = await handle.stat()
  const offset = lines === Number.POSITIVE_INFINITY ? 0 : await startOfLastLines(handle, size, lines)
  const opened = { handle, inode: ino, splitter: lineSplitter(onLine), offset }
  await readOn(opened)
  return opened
}

async function readOn(opened: Opened): Promise<void> {
  const { size } = await opened.handle.stat()
  if (size < opened.offset) {
    opened.offset = 0
  }
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (;;) {
    const { bytesRead } = await opened.handle.read(chunk, 0, CHUNK_BYTES, opened.offset)
    if (bytesRead === 0) {
      return
    }
    opened.offset += bytesRead
    opened.splitter.push(Buffer.from(chunk.subarray(0, bytesRead)))
  }
}

async function finish(opened: Opened): Promise<void> {
  opened.splitter.end()
  await opened.handle.close()
}

/** A file that is gone is not replaced yet: what holds it open may still write to it. */
async function replaced(file: string, inode: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  return found !== undefined && found.ino !== inode
}

/** Byte offset where the last `lines` lines begin, looking back at most 4 MiB. */
async function startOfLastLines(handle: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) {
    return size
  }
  const limit = Math.max(0, size - LONGEST_TAIL_BYTES)
  const chunk = Buffer.alloc(CHUNK_BYTES)
  let end = size
  let newlines = 0
  while (end > limit) {
    const start = Math.max(limit, end - CHUNK_BYTES)
    const { bytesRead } = await handle.read(chunk, 0, end - start, start)
    for (let i = bytesRead - 1; i >= 0; i -= 1) {
      if (chunk[i] === 0x0a && start + i !== size - 1) {
        newlines += 1
        if (newlines === lines) {
          return start + i + 1
        }
      }
    }
    end = start
  }
  return limit
}

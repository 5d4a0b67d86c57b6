import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { refusal } from '../../problem/problem.ts'
import { errorCode } from '../error-code.ts'
import { fencedRefusal } from '../fenced.ts'
import type { Command, Outcome, Parcel, UploadOptions, Uploaded } from '../host.ts'
import type { Fence } from '../operation.ts'

type Run = (command: Command, options: { signal?: AbortSignal; timeoutMs: number }) => Promise<Outcome>

const COPY_TIMEOUT_MS = 10 * 60_000

let uploads = 0

/**
 * Lays a folder at `target`, hard-linked where the file system allows it. It is made whole under a name of its own
 * beside the target and renamed, so that a crash leaves either nothing or everything under the target's name.
 */
export async function uploadLocally(
  run: Run,
  { folder, target }: Pick<Parcel, 'folder' | 'target'>,
  { signal, fence }: UploadOptions = {},
): Promise<Uploaded> {
  if (await exists(target)) return THERE
  const source = typeof folder === 'string' ? folder : await folder()
  await mkdir(dirname(target), { recursive: true })
  await removeLeftovers(target)
  uploads += 1
  const part = `${partPrefix(target)}${process.pid}-${uploads}`
  const options = { timeoutMs: COPY_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
  try {
    const isLinked = await copy(run, { folder: source, part, target }, options)
    const bytes = await sizeOf(run, part, options)
    if (fence !== undefined) await passFence(fence)
    const isOurs = await renameUnlessTaken(part, target)
    return isOurs ? { bytes, sent: isLinked ? 0 : bytes, skipped: false } : THERE
  } finally {
    await rm(part, { recursive: true, force: true })
  }
}

const THERE: Uploaded = { bytes: 0, sent: 0, skipped: true }

/** Between this look and the rename that follows at once there is nothing to wait for. */
async function passFence(fence: Fence): Promise<void> {
  const text = await readFile(join(fence.root, 'fence'), 'utf8').catch(() => '0')
  const seen = Number.parseInt(text, 10)
  if (seen > fence.number) throw fencedRefusal('host local, upload', fence, seen)
}

/** Whether hard links were enough. */
async function copy(
  run: Run,
  paths: { folder: string; part: string; target: string },
  options: { signal?: AbortSignal; timeoutMs: number },
): Promise<boolean> {
  const linked = await run({ program: 'cp', argv: ['-al', '--', paths.folder, paths.part] }, options)
  if (linked.ok) return true
  // Another file system, one without hard links, or a file of another owner: copy, on copy-on-write where there is any.
  await rm(paths.part, { recursive: true, force: true })
  const copied = await run({ program: 'cp', argv: ['-a', '--reflink=auto', '--', paths.folder, paths.part] }, options)
  if (!copied.ok) {
    const said = copied.stderr.trim().split('\n').at(-1) ?? ''
    const why = copied.failure === 'exit' ? said : `cp ended by ${copied.failure}`
    throw refusal('hosts/upload', paths.target, `could not be laid: ${why}`, uploadHint(said))
  }
  return false
}

function uploadHint(said: string): string {
  return /No space left/.test(said)
    ? 'The disk of the host is full; free some space and release again.'
    : 'Does the source exist, and may Drover write to the target folder?'
}

async function sizeOf(run: Run, folder: string, options: { signal?: AbortSignal; timeoutMs: number }): Promise<number> {
  const measured = await run({ program: 'du', argv: ['-sb', '--', folder] }, options)
  return Number.parseInt(measured.stdout, 10) || 0
}

/** False when another upload of the same content was faster. */
async function renameUnlessTaken(part: string, target: string): Promise<boolean> {
  try {
    await rename(part, target)
    return true
  } catch (error) {
    if (await exists(target)) {
      return false
    }
    throw error
  }
}

/** Parts of uploads whose Drover died. */
async function removeLeftovers(target: string): Promise<void> {
  const prefix = basename(partPrefix(target))
  for (const name of await readdir(dirname(target))) {
    if (name.startsWith(prefix) && !isAlive(Number.parseInt(name.slice(prefix.length), 10))) {
      await rm(join(dirname(target), name), { recursive: true, force: true })
    }
  }
}

function partPrefix(target: string): string {
  return join(dirname(target), `.${basename(target)}.part-`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

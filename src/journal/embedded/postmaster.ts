import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '../../hosts/error-code.ts'

/** A running server, as its lock file `postmaster.pid` and the kernel describe it. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
}

/**
 * The server that runs on this cluster, or undefined. The lock file alone proves nothing: after a crash of the
 * machine its pid may be another program's, so the kernel must agree that the process works in this folder.
 */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const lines = (await readLock(data))?.split('\n')
  if (lines === undefined) return undefined
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 1 || (await workingFolder(pid)) !== data) return undefined
  return { pid, port: Number(lines[3]) }
}

/**
 * Removes a lock file that no server holds. PostgreSQL does so itself unless the pid in it lives again as another
 * program of the same user. Orphans of a killed server may still write to the cluster for a moment; the lock file is
 * what keeps a new server from starting beside them, so they are waited for first.
 */
export async function removeStaleLock(data: string): Promise<void> {
  if ((await readLock(data)) === undefined) return
  for (let tries = 0; (await processesIn(data)).length > 0; tries++) {
    if (tries === 100 || (await findPostmaster(data)) !== undefined) return
    await delay(50)
  }
  await rm(join(data, 'postmaster.pid'), { force: true })
}

/**
 * Stops a server by its pid: first a fast shutdown, which breaks off clients and writes a checkpoint; after 10 s an
 * immediate one, which a later start recovers from. Returns once the process is gone.
 */
export async function stopPostmaster(pid: number, data: string): Promise<void> {
  signal(pid, 'SIGINT')
  if (await isGone(pid, data, 10_000)) return
  signal(pid, 'SIGQUIT')
  if (await isGone(pid, data, 10_000)) return
  throw new Error(`PostgreSQL (pid ${pid}) did not stop`)
}

async function isGone(pid: number, data: string, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await delay(10)) {
    if ((await workingFolder(pid)) !== data) return true
  }
  return false
}

async function readLock(data: string): Promise<string | undefined> {
  return readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined)
}

/** Server processes work in their cluster's folder. Undefined for a process that is gone, a zombie or a stranger's. */
async function workingFolder(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined)
}

async function processesIn(data: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const folders = await Promise.all(pids.map(workingFolder))
  return pids.filter((_, index) => folders[index] === data)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

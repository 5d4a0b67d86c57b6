import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'
import { isAlive, ownName } from './owner.ts'

const POLL_MS = 50

/**
 * Runs `body` while no other holder of the same file does, in this process or another on this machine. A holder that
 * died is passed over. What the lock guards must stay right without it (artifacts appear by rename): it only saves
 * doing the same work twice.
 */
export async function withLock<T>(file: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
  const mine = `${await ownName()} ${randomUUID()}`
  while (!(await take(file, mine))) {
    if (signal?.aborted === true) {
      throw refusal('build/aborted', `lock ${file}`, 'was told to stop while another build of the same was under way')
    }
    await sleep(POLL_MS)
  }
  try {
    return await body()
  } finally {
    if ((await holder(file)) === mine) await rm(file, { force: true })
  }
}

async function take(file: string, mine: string): Promise<boolean> {
  // Written aside and linked, so that the lock never exists without its holder's name.
  const aside = `${file}.${randomUUID()}`
  await writeFile(aside, mine)
  try {
    await link(aside, file)
    return true
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    await passOverDead(file)
    return false
  } finally {
    await rm(aside, { force: true })
  }
}

/** Takes away the lock of a dead holder. Of several that try, rename lets one win; what it won by mistake it puts back. */
async function passOverDead(file: string): Promise<void> {
  const name = await holder(file)
  if (name === undefined || (await isAlive(name.split(' ')[0] ?? ''))) {
    return
  }
  const aside = `${file}.${randomUUID()}`
  await rename(file, aside).catch(ignoreMissing)
  if ((await holder(aside)) !== name) {
    await link(aside, file).catch(() => {})
  }
  await rm(aside, { force: true })
}

async function holder(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  throw error
}

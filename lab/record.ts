import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../src/hosts/error-code.ts'
import { PREFIX, RUNS, UP } from './place.ts'
import type { LabPlace } from './place.ts'

/** What is known of a lab to whoever finds it: where everything of it is, and who opened it. */
interface LabRecord extends LabPlace {
  /** When this machine was switched on. */
  readonly boot: string
  /** The process that opened it. */
  readonly pid: number
  /** When that process started; tells it from a later one with the same id. */
  readonly started: string | undefined
}

/**
 * Writes the record before anything of the lab is made, so that nothing is ever left that nobody can find. False when
 * the lab is there: it is somebody's until it is closed.
 */
export async function claim(place: LabPlace): Promise<boolean> {
  const record: LabRecord = {
    ...place,
    boot: await bootId(),
    pid: process.pid,
    started: await startOf(process.pid),
  }
  const folder = join(RUNS, `${place.id}-${process.pid}`)
  await mkdir(folder, { recursive: true })
  await writeFile(fileOf(folder), JSON.stringify(record))
  try {
    await rename(folder, join(RUNS, place.id))
    return true
  } catch (error) {
    await rm(folder, { recursive: true })
    if (errorCode(error) === 'ENOTEMPTY') return false
    throw error
  }
}

/** Undefined where no lab of this id is. */
export async function readRecord(id: string): Promise<LabRecord | undefined> {
  const text = await readFile(fileOf(join(RUNS, id)), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  // Written by claim alone.
  const record: LabRecord = JSON.parse(text)
  // Else it is still being claimed, in a folder of another name.
  return record.id === id ? record : undefined
}

/** Whether somebody still has the lab. */
export async function isLive(record: LabRecord): Promise<boolean> {
  if (record.boot !== (await bootId())) return false
  return record.id === `${PREFIX}${UP}` || record.started === (await startOf(record.pid))
}

function fileOf(folder: string): string {
  return join(folder, 'lab.json')
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** In ticks since this machine was switched on; undefined when there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name, in brackets, may hold spaces. The 22nd field is the 20th after it.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19]
}

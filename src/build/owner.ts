import { readFile } from 'node:fs/promises'

/**
 * The name of this process in files that outlive it: its id and the moment it started, in clock ticks since boot,
 * because ids are used again.
 */
export async function ownName(): Promise<string> {
  return `${process.pid}-${(await startOf(process.pid)) ?? 0}`
}

/** Whether the process of that name still runs on this machine. */
export async function isAlive(name: string): Promise<boolean> {
  const [pid = '', start = ''] = name.split('-')
  if (!/^\d+$/.test(pid) || !exists(Number(pid))) {
    return false
  }
  const now = await startOf(Number(pid))
  return now === undefined || start === '0' || now === start
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); undefined where there is no /proc. The name in field 2 may hold anything. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

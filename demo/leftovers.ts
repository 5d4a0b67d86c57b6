import { readdir, readFile, readlink } from 'node:fs/promises'

/**
 * Ends, by their ids, the processes that still work below a folder: what a command that failed left running. Found by
 * their working folder, their arguments and their environment, as /proc shows them.
 */
export async function endProcessesBelow(folder: string): Promise<number> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const found = await Promise.all(ids.map(async (id) => ((await worksBelow(id, folder)) ? [Number(id)] : [])))
  for (const pid of found.flat()) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // It has ended meanwhile, which is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return found.flat().length
}

async function worksBelow(pid: string, folder: string): Promise<boolean> {
  const readings = await Promise.allSettled([
    readlink(`/proc/${pid}/cwd`),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile(`/proc/${pid}/environ`, 'utf8'),
  ])
  // A process that ends while it is looked at, or another user's, gives no answer.
  return readings.some((reading) => reading.status === 'fulfilled' && reading.value.includes(`${folder}/`))
}

import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

const MODULE_FILES = new Set(['go.mod', 'go.sum', 'go.work', 'go.work.sum'])

/** Removes what only the compiler reads, and folders that are empty without it. True when the folder itself went. */
export async function removeSources(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true })
  const left = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        return !(await removeSources(path))
      }
      const source = entry.isFile() && (entry.name.endsWith('.go') || MODULE_FILES.has(entry.name))
      if (source) await rm(path)
      return !source
    }),
  )
  if (entries.length > 0 && left.every((stays) => !stays)) {
    await rmdir(folder)
    return true
  }
  return false
}

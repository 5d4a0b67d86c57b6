import { errorCode } from '../hosts/error-code.ts'
import { refusal } from '../problem/problem.ts'
import type { Place, Refusal } from '../problem/problem.ts'

/** Whether a program says so. Programs report it in words only; those of C and of Node are the same everywhere. */
export function tellsOfFullDisk(text: string): boolean {
  return /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/.test(text)
}

export function isFullDisk(error: unknown): boolean {
  return errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT'
}

export function diskFull(where: string | Place, said = ''): Refusal {
  const hint = 'Free some space where Drover keeps its artifacts and where builds put temporary files.'
  return refusal('build/disk-full', where, 'there is no space left on the disk', `${hint} ${said}`.trim())
}

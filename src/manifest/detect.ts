import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Language } from './fleet.ts'

/** The files of a repository, in a working tree or at a commit. Paths are relative to the repository, `.` is its root. */
export interface FileView {
  /** Whether there is a file or folder. */
  exists(path: string): boolean | Promise<boolean>
  /** Names directly in a folder; empty when there is no such folder. Asked instead of several `exists` where it is offered. */
  list?(folder: string): readonly string[] | Promise<readonly string[]>
}

export interface Detected {
  /** undefined: nothing tells the language. */
  readonly language?: Exclude<Language, 'command'>
  /** Files that tell a language, the first one decides. */
  readonly by: readonly string[]
  readonly folderExists: boolean
}

const MARKERS = [
  ['package.json', 'node'],
  ['go.mod', 'go'],
  ['requirements.txt', 'python'],
  ['pyproject.toml', 'python'],
] as const

export const LANGUAGE_FILES: readonly string[] = MARKERS.map(([file]) => file)

/** Whether a folder exists, and what language its service is written in. */
export async function detectLanguage(view: FileView, folder: string): Promise<Detected> {
  const names = await markersIn(view, folder)
  const found = MARKERS.filter(([file]) => names.has(file))
  const by = found.map(([file]) => file)
  if (found[0] !== undefined) return { language: found[0][1], by, folderExists: true }
  return { by, folderExists: folder === '.' || (await view.exists(folder)) }
}

async function markersIn(view: FileView, folder: string): Promise<ReadonlySet<string>> {
  if (view.list !== undefined) return new Set(await view.list(folder))
  const there = await Promise.all(
    LANGUAGE_FILES.map(async (file) => await view.exists(folder === '.' ? file : `${folder}/${file}`)),
  )
  return new Set(LANGUAGE_FILES.filter((_, index) => there[index]))
}

/** Languages that more than one found file speaks for. */
export function languagesBy(files: readonly string[]): Set<Language> {
  return new Set(MARKERS.filter(([file]) => files.includes(file)).map(([, language]) => language))
}

/** The files as they lie in a folder of this machine. */
export function workingTree(root: string): FileView {
  return {
    exists: (path) =>
      stat(join(root, path)).then(
        () => true,
        () => false,
      ),
    list: (folder) => readdir(join(root, folder)).catch(() => []),
  }
}

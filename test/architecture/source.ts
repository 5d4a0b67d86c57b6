import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import { outlineOf } from './imports.ts'
import type { Import, Outline } from './imports.ts'

export interface TextFile {
  /** Relative to the repository. */
  readonly path: string
  readonly text: string
}

export interface SourceFile extends TextFile, Outline {
  /** First folder below `src`, or `main.ts`. */
  readonly room: string
  readonly isTest: boolean
}

/** Every text file that git tracks or would track. */
export function trackedFiles(repository: string): TextFile[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: repository,
    encoding: 'utf8',
  })
  return [...new Set(list.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(repository, path)))
    .map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }))
    .filter((file) => !file.text.includes('\0'))
}

/** The TypeScript below `src`, outlined. */
export function sourceFiles(files: readonly TextFile[]): SourceFile[] {
  return files
    .filter((file) => file.path.startsWith('src/') && /\.[cm]?tsx?$/.test(file.path))
    .map((file) => {
      const outline = outlineOf(file.text)
      return { ...file, ...outline, room: file.path.split('/')[1]!, isTest: isTest(file.path, outline) }
    })
}

/** Tests, and what only tests need: it bears their name, or asserts. */
function isTest(path: string, { imports }: Outline): boolean {
  return /\.(test|slow)\.ts$/.test(path) || imports.some(({ specifier }) => /^node:(test|assert)\b/.test(specifier))
}

/** Where an import leads: a path relative to the repository, or undefined for a package. */
export function targetOf(file: SourceFile, { specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? normalize(join(dirname(file.path), specifier)) : undefined
}

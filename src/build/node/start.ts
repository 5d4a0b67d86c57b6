import { readdir, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { refusal } from '../../problem/problem.ts'
import type { BuildableService } from '../builder.ts'
import { startLine } from '../start-line.ts'
import type { Project } from './project.ts'

export interface StartContext {
  readonly tree: string
  readonly project: Project
  /** Folders of installed programs, relative to the service's folder. */
  readonly bins: readonly string[]
}

/**
 * How the service is started: as the manifest says, as `scripts.start` says (without npm, which would stand between
 * the service and its signals), or with `main`.
 */
export async function startOf(service: BuildableService, { tree, project, bins }: StartContext): Promise<string> {
  const script = service.start ?? project.manifest?.scripts?.['start']
  if (typeof script === 'string' && script.trim() !== '') {
    return startLine(script, await usedBins(script, join(tree, service.path), bins))
  }
  const main = typeof project.manifest?.main === 'string' ? project.manifest.main : 'index.js'
  const file = await firstFile(join(tree, service.path), [main, `${main}.js`, posix.join(main, 'index.js')])
  if (file === undefined) {
    throw refusal(
      'build/no-start',
      `service ${service.name}`,
      'nothing says how it is started: package.json has no scripts.start, and its main does not exist',
      'Add "start" to the scripts of package.json, or to the service in drover.yaml.',
    )
  }
  return startLine(`node ${file}`)
}

/** Folders with a program that the line names; the others need not be on PATH. */
async function usedBins(line: string, cwd: string, bins: readonly string[]): Promise<string[]> {
  const words = new Set(line.split(/[\s;&|()]+/))
  const used: string[] = []
  for (const bin of bins) {
    const names = await readdir(join(cwd, bin)).catch(() => [])
    if (names.some((name) => words.has(name))) used.push(bin)
  }
  return used
}

async function firstFile(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found?.isFile() === true && /^[\w./@-]+$/.test(name)) return name
  }
  return undefined
}

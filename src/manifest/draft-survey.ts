import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { detectLanguage, languagesBy, workingTree } from './detect.ts'
import {
  asName,
  neededBy,
  portInSource,
  portInVariables,
  prismaProvider,
  readPackage,
  readyPath,
  storesIn,
  unitFolder,
} from './draft-guess.ts'
import type { GuessedStore } from './draft-guess.ts'

/** A service as it was found in a working tree; what is undefined was not found. */
export interface FoundService {
  readonly name: string
  /** Relative to the repository, `.` for its root. */
  readonly path: string
  readonly language: 'node' | 'go' | 'python'
  readonly isAmbiguous: boolean
  readonly port?: number
  readonly ready?: string
  readonly stores: readonly GuessedStore[]
  /** Provider of its Prisma schema. */
  readonly prisma?: string
  readonly needs: readonly string[]
}

const HOLDERS = ['services', 'apps', 'packages']
const SINGLE = ['backend', 'server', 'api']
const SKIPPED =
  /^(?:\..*|node_modules|dist|build|out|vendor|venv|env|coverage|__pycache__|tests?|__tests__|e2e|migrations)$/
const SOURCE = /\.(?:[cm]?[jt]s|go|py)$/
const LARGEST_FILE = 256 * 1024
const MOST_FILES = 300

/** Looks for services where people put them, and takes the root for one when there is no other. */
export async function surveyServices(root: string): Promise<FoundService[]> {
  const units = await readUnits(root)
  const folders: { path: string; name: string }[] = []
  for (const path of await candidates(root)) {
    if (await isService(root, path))
      folders.push({ path, name: asName(path === '.' ? basename(root) : basename(path)) })
  }
  const inside = folders.filter(({ path }) => path !== '.')
  const named = withUniqueNames(inside.length > 0 ? inside : folders)
  const names = named.map(({ name }) => name)
  const found: FoundService[] = []
  for (const folder of named) found.push(await surveyService(root, folder, { names, units }))
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function candidates(root: string): Promise<string[]> {
  const held = await Promise.all(
    HOLDERS.map(async (holder) => (await foldersIn(join(root, holder))).map((name) => `${holder}/${name}`)),
  )
  return [...held.flat(), ...SINGLE, '.']
}

async function isService(root: string, path: string): Promise<boolean> {
  const { language } = await detectLanguage(workingTree(root), path)
  if (language === undefined) return false
  if (language === 'python') return true
  if (language === 'go') return (await readSources(join(root, path))).some((source) => /^package main$/m.test(source))
  const { scripts } = readPackage(await read(join(root, path, 'package.json')))
  return scripts['start'] !== undefined
}

function withUniqueNames(folders: readonly { path: string; name: string }[]): { path: string; name: string }[] {
  const taken = new Set<string>()
  return folders.map(({ path, name }) => {
    let unique = taken.has(name) ? asName(path) : name
    for (let n = 2; taken.has(unique); n++) unique = `${name.slice(0, 36)}-${n}`
    taken.add(unique)
    return { path, name: unique }
  })
}

interface Neighbourhood {
  readonly names: readonly string[]
  readonly units: readonly string[]
}

async function surveyService(
  root: string,
  { path, name }: { path: string; name: string },
  around: Neighbourhood,
): Promise<FoundService> {
  const folder = join(root, path)
  const { language = 'node', by } = await detectLanguage(workingTree(root), path)
  const sources = await readSources(folder)
  const dependencies = (await Promise.all(by.map((file) => read(join(folder, file))))).join('\n')
  const prisma = prismaProvider(await read(join(folder, 'prisma/schema.prisma')))
  const port = (await portOf(folder, name, around.units)) ?? firstOf(sources, portInSource)
  const ready = firstOf(sources, readyPath)
  return {
    name,
    path,
    language,
    isAmbiguous: languagesBy(by).size > 1,
    ...(port === undefined ? {} : { port }),
    ...(ready === undefined ? {} : { ready }),
    stores: storesIn(dependencies),
    ...(prisma === undefined ? {} : { prisma }),
    needs: neededBy(
      sources.join('\n'),
      around.names.filter((other) => other !== name),
    ),
  }
}

async function portOf(folder: string, name: string, units: readonly string[]): Promise<number | undefined> {
  const unit = units.find((text) => [basename(folder), name].includes(basename(unitFolder(text) ?? '')))
  const scripts = Object.values(readPackage(await read(join(folder, 'package.json'))).scripts).join('\n')
  const files = await Promise.all(
    ['.env.example', '.env.sample', '.env.template'].map((file) => read(join(folder, file))),
  )
  return firstOf([unit ?? '', ...files, scripts], portInVariables)
}

/** systemd units in the repository, wherever they are kept within two levels. */
async function readUnits(root: string): Promise<string[]> {
  const files = await filesBelow(root, { matching: /\.service$/, depth: 3 })
  return Promise.all(files.map(read))
}

async function readSources(folder: string): Promise<string[]> {
  return Promise.all((await filesBelow(folder, { matching: SOURCE, depth: 5 })).map(read))
}

/** Files by name, the ones nearest to the top first; links are not followed. */
async function filesBelow(top: string, { matching, depth }: { matching: RegExp; depth: number }): Promise<string[]> {
  const found: string[] = []
  let level = [top]
  for (let down = 0; down < depth && level.length > 0; down++) {
    const next: string[] = []
    for (const folder of level.slice(0, MOST_FILES)) {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        if (entry.isFile() && matching.test(entry.name)) found.push(join(folder, entry.name))
        if (entry.isDirectory() && !SKIPPED.test(entry.name)) next.push(join(folder, entry.name))
        if (found.length >= MOST_FILES) return found
      }
    }
    level = next
  }
  return found
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory() && !SKIPPED.test(entry.name)).map(({ name }) => name)
}

/** A text, or nothing when it is absent, unreadable or too large to be what we look for. */
export async function read(file: string): Promise<string> {
  try {
    return (await stat(file)).size > LARGEST_FILE ? '' : await readFile(file, 'utf8')
  } catch {
    return ''
  }
}

function firstOf<T>(texts: readonly string[], guess: (text: string) => T | undefined): T | undefined {
  for (const text of texts) {
    const found = guess(text)
    if (found !== undefined) return found
  }
  return undefined
}

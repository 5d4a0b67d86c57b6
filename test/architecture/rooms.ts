import { targetOf } from './source.ts'
import type { SourceFile } from './source.ts'

/**
 * The rooms of DESIGN.md from the bottom up. A room may import from rooms of lower levels; rooms of one level do not
 * know each other.
 */
const LEVELS: readonly (readonly string[])[] = [
  ['problem'],
  ['secrets'],
  ['manifest'],
  ['hosts'],
  ['runtimes', 'routers', 'databases', 'source', 'build', 'watch', 'journal'],
  ['release'],
  ['server', 'cli'],
  ['drivers.ts'],
  ['main.ts'],
]

/** The command line is a client of the API: what the control plane does must not be done a second time in it. */
const CLI_MAY_IMPORT = ['src/problem/', 'src/secrets/', 'src/manifest/', 'src/server/home.ts', 'src/server/lock.ts']
const CLI_MAY_IMPORT_TYPES = ['src/release/']

/** One sentence for every import that goes up or sideways. Tests may cross rooms. */
export function roomComplaints(files: readonly SourceFile[]): string[] {
  const tests = new Set(files.filter((file) => file.isTest).map((file) => file.path))
  return files.filter((file) => !file.isTest).flatMap((file) => complaintsOf(file, tests))
}

function complaintsOf(file: SourceFile, tests: ReadonlySet<string>): string[] {
  if (levelOf(file.room) === -1) {
    return [
      `${file.path}: the room "${file.room}" has no level; say in test/architecture/rooms.ts which rooms it may know`,
    ]
  }
  return file.imports.flatMap((found) => {
    const target = targetOf(file, found)
    if (target === undefined) return []
    const complaint = tests.has(target)
      ? 'what runs in production must not need what only tests need'
      : complaintAbout(file, target, found.typeOnly)
    return complaint === undefined ? [] : [`${file.path}:${found.line} imports ${target}: ${complaint}`]
  })
}

function complaintAbout(file: SourceFile, target: string, typeOnly: boolean): string | undefined {
  if (!target.startsWith('src/')) {
    return target === 'package.json'
      ? undefined
      : 'src must not need what lies outside it, which is not part of the program'
  }
  const room = target.split('/')[1]!
  if (room === file.room) return undefined
  if (file.room === 'cli') return complaintAboutClient(target, typeOnly)
  const own = levelOf(file.room)
  const other = levelOf(room)
  if (other === -1 || other < own) return undefined
  return other === own
    ? `${file.room} and ${room} are siblings and must not know each other; what both need belongs below them, what joins them above`
    : `imports go downwards only, and ${room} stands above ${file.room}; let ${room} hand in what ${file.room} needs`
}

function complaintAboutClient(target: string, typeOnly: boolean): string | undefined {
  if (CLI_MAY_IMPORT.some((allowed) => target.startsWith(allowed))) return undefined
  if (!CLI_MAY_IMPORT_TYPES.some((allowed) => target.startsWith(allowed))) {
    return 'the command line is a client of the API; it may know the manifest, problems, secrets, the types of a release and where the server lives'
  }
  return typeOnly
    ? undefined
    : 'the command line may know the types of a release (import type), not do its work: ask the API'
}

function levelOf(room: string): number {
  return LEVELS.findIndex((level) => level.includes(room))
}

/** Each knot of files that import each other's values, shown as the way around. A cycle of types alone is harmless. */
export function cycleComplaints(files: readonly SourceFile[]): string[] {
  const known = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const way: string[] = []
  const complaints: string[] = []

  function visit(path: string): void {
    const before = way.indexOf(path)
    if (before !== -1) {
      const cycle = [...way.slice(before), path].join(' -> ')
      complaints.push(
        `${cycle}: an import cycle; which of these runs first depends on who is asked first, so move what they share to a file below both`,
      )
      return
    }
    const file = known.get(path)
    if (file === undefined || done.has(path)) return
    way.push(path)
    for (const found of file.imports) {
      const target = found.typeOnly ? undefined : targetOf(file, found)
      if (target !== undefined) visit(target)
    }
    way.pop()
    done.add(path)
  }

  for (const path of [...known.keys()].sort()) visit(path)
  return complaints
}

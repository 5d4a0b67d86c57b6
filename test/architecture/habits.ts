import type { SourceFile, TextFile } from './source.ts'

/** Lines of code, as the linter counts them. */
const LONGEST_FILE = 400
const BLANK_OR_COMMENT = /^\s*(\/\/.*|\/?\*.*)?$/

const EMPTY_NAMES = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'managers'])

/** The environment is an input like any other: read at the edge and handed down. The two in hosts pick what a child may see. */
const MAY_READ_ENVIRONMENT = [
  'src/main.ts',
  'src/cli/',
  'src/server/home.ts',
  'src/hosts/local/environment.ts',
  'src/hosts/pass-on.ts',
]

/** Commands are data and run in one place, which keeps time limits, process groups and secrets right. */
const MAY_START_PROCESSES = ['src/hosts/local/', 'src/journal/embedded-postgres.ts', 'src/cli/']
const PROCESS_STARTERS = ['child_process', 'node:child_process', 'execa', 'cluster', 'node:cluster']

/** Folders that exist on one machine only. Spelt in two halves, or this file would refuse itself. */
const PLACES_OF_ONE_MACHINE = ['work', 'root', 'Users'].map((folder) => `/${folder}/`)

/** One sentence for every departure from the habits of the house. */
export function habitComplaints(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [...shapeComplaints(file), ...edgeComplaints(file)])
}

function shapeComplaints(file: SourceFile): string[] {
  const complaints: string[] = []
  const lines = file.text.split('\n').filter((line) => !BLANK_OR_COMMENT.test(line)).length
  if (lines > LONGEST_FILE) {
    complaints.push(
      `${file.path}: has ${lines} lines of code; a file longer than ${LONGEST_FILE} tells more than one story, so split it by noun`,
    )
  }
  if (file.barrel) {
    complaints.push(
      `${file.path}: only hands on what others define; import it from where it is defined, so that a reader finds it in one step`,
    )
  }
  if (file.defaultExport !== undefined) {
    complaints.push(
      `${file.path}:${file.defaultExport}: has a default export; give it a name, so that it is called the same everywhere`,
    )
  }
  return complaints
}

function edgeComplaints(file: SourceFile): string[] {
  const complaints: string[] = []
  if (!file.isTest && !allowed(file.path, MAY_READ_ENVIRONMENT)) {
    const reads = [...file.environmentReads, ...file.imports.filter(takesEnvironment).map((found) => found.line)]
    for (const line of reads) {
      complaints.push(
        `${file.path}:${line}: reads process.env; only the edge does (${MAY_READ_ENVIRONMENT.join(', ')}), so that what a room does follows from what it is given and tests need no environment`,
      )
    }
  }
  if (!file.isTest && !allowed(file.path, MAY_START_PROCESSES)) {
    for (const found of file.imports.filter((each) => PROCESS_STARTERS.includes(each.specifier) && !each.typeOnly)) {
      complaints.push(
        `${file.path}:${found.line}: imports ${found.specifier}; make the command a value and let a Host run it, which bounds its time, ends its whole group and keeps secrets out of argv`,
      )
    }
  }
  return complaints
}

function takesEnvironment(found: { readonly specifier: string; readonly names: readonly string[] }): boolean {
  return ['node:process', 'process'].includes(found.specifier) && found.names.includes('env')
}

function allowed(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))
}

/** A name that says nothing gathers what belongs nowhere. */
export function nameComplaints(files: readonly TextFile[]): string[] {
  return files.flatMap(({ path }) => {
    const empty = path
      .split('/')
      .find((part) => part.split(/[-_.]/).some((word) => EMPTY_NAMES.has(word.toLowerCase())))
    return empty === undefined
      ? []
      : [`${path}: "${empty}" says nothing about what is in it; name it after the thing that it knows or does`]
  })
}

/** Whatever names a folder of one machine works on that machine only. */
export function placeComplaints(files: readonly TextFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const place = PLACES_OF_ONE_MACHINE.find((candidate) => namesFolder(line, candidate))
      return place === undefined
        ? []
        : [
            `${path}:${index + 1}: names ${place}, a folder that only one machine has; make it relative, or take it from the input`,
          ]
    }),
  )
}

/** Whether the folder stands at the start of a path, not inside one (`<root>/work/x` is fine). */
function namesFolder(line: string, folder: string): boolean {
  for (let at = line.indexOf(folder); at !== -1; at = line.indexOf(folder, at + 1)) {
    if (at === 0 || !/[\w.>})\]$*~-]/.test(line[at - 1]!)) return true
  }
  return false
}

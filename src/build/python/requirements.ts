import { readFile, stat, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errorCode } from '../../hosts/error-code.ts'
import { refusal } from '../../problem/problem.ts'
import type { BuildContext } from '../builder.ts'
import { INSTALL_PYTHON } from './dependencies.ts'

/** What pip is told to install. */
export interface Requirements {
  /** Relative to the service's folder. */
  readonly file: string
  /** That file and every one it includes, by path. */
  readonly texts: ReadonlyMap<string, string>
  /** It names folders or files of the repository, whose content decides too. */
  readonly readsTree: boolean
}

/** Written from pyproject.toml when there is no requirements.txt. */
const GENERATED = '.requirements.from-pyproject.txt'

/** Reads TOML with Python's own parser (3.11 and later): one line per dependency, or why there is none. */
const READ_PYPROJECT = `
import sys, tomllib
project = tomllib.load(open('pyproject.toml', 'rb'))
if 'poetry' in project.get('tool', {}) and 'dependencies' not in project.get('project', {}):
    sys.exit(3)
print('\\n'.join(project.get('project', {}).get('dependencies', [])))
`

/** The service's requirements; undefined when it has none. Warns of those that are not pinned. */
export async function findRequirements(context: BuildContext): Promise<Requirements | undefined> {
  const { service, tree } = context
  const folder = join(tree, service.path)
  const file = (await isFile(join(folder, 'requirements.txt')))
    ? 'requirements.txt'
    : await fromPyproject(context, folder)
  if (file === undefined) {
    return undefined
  }
  const texts = new Map<string, string>()
  await collect(folder, file, texts)
  const lines = [...texts].flatMap(([name, text]) => logicalLines(text).map((line) => ({ name, line })))
  const wanted = lines.filter(({ line }) => !line.startsWith('-') || /^(-e|--editable)\b/.test(line))
  if (wanted.length === 0) {
    return undefined
  }
  for (const { name, line } of wanted.filter((each) => !isExact(each.line))) {
    const shown = name === GENERATED ? 'pyproject.toml' : name
    context.shell.say(
      `warning: ${shown}: "${line}" is not pinned to one version (==), so two builds need not be the same`,
    )
  }
  return { file, texts, readsTree: wanted.some(({ line }) => isLocal(line)) }
}

async function fromPyproject({ service, shell }: BuildContext, folder: string): Promise<string | undefined> {
  if (!(await isFile(join(folder, 'pyproject.toml')))) {
    return undefined
  }
  const where = { file: posix.join(service.path, 'pyproject.toml') }
  const text = await readFile(join(folder, 'pyproject.toml'), 'utf8')
  if (/^\[tool\.poetry/m.test(text) && !/^\[project\]/m.test(text)) {
    throw refusal(
      'build/poetry',
      where,
      'keeps its dependencies where only Poetry reads them',
      'Commit a requirements.txt written by: poetry export -o requirements.txt',
    )
  }
  const { stdout } = await shell.run({
    program: 'python3',
    argv: ['-I', '-c', READ_PYPROJECT],
    cwd: folder,
    install: INSTALL_PYTHON,
  })
  await writeFile(join(folder, GENERATED), stdout)
  return GENERATED
}

/** Follows `-r` and `-c`, as pip does: relative to the file that says it. */
async function collect(folder: string, file: string, texts: Map<string, string>): Promise<void> {
  if (texts.has(file) || file.startsWith('/')) {
    return
  }
  const text = await readFile(join(folder, file), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  texts.set(file, text)
  for (const line of logicalLines(text)) {
    const included = /^(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)/.exec(line)?.[1]
    if (included !== undefined) await collect(folder, posix.join(posix.dirname(file), included), texts)
  }
}

/** Without comments and empty lines, continued lines joined. */
function logicalLines(text: string): string[] {
  const joined = text.replace(/\\\r?\n/g, ' ')
  return joined
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
}

/** One version and nothing else: `flask==3.0.3`, a wheel, or a commit of a repository. */
function isExact(line: string): boolean {
  return (
    /===?\s*[^*,\s]+(\s*(;|--hash).*)?$/.test(line) ||
    /\.(whl|tar\.gz|zip)(#\S*)?(\s|$)/.test(line) ||
    /@[0-9a-f]{40}\b/.test(line)
  )
}

function isLocal(line: string): boolean {
  return /^(-e|--editable)\b/.test(line) || /^\.{0,2}\//.test(line) || /file:/.test(line)
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true
}

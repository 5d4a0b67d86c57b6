import { posix } from 'node:path'
import { refusal } from '../problem/problem.ts'
import type { Mirror } from './mirror.ts'

/** One thing in a folder of a commit. */
export interface TreeEntry {
  /** Relative to the repository. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link' | 'submodule'
  /**
   * Two entries with equal versions are equal in every byte and mode. A folder's is its tree id, a file's its mode and
   * blob id.
   */
  readonly version: string
  readonly objectId: string
  /** Bytes; of files and links only, and only when asked for. */
  readonly size?: number
}

const KINDS: Readonly<Record<string, TreeEntry['kind']>> = {
  '040000': 'folder',
  '100644': 'file',
  '100755': 'file',
  '120000': 'link',
  '160000': 'submodule',
}

/** A path inside the repository without `.`, doubled or trailing slashes; `''` is the root. One that leads out is refused. */
export function repositoryPath(path: string): string {
  const clean = posix.normalize(path).replace(/\/+$/, '').replace(/^\.$/, '')
  if (clean.startsWith('/') || clean === '..' || clean.startsWith('../') || clean.includes('\0')) {
    throw refusal(
      'source/bad-path',
      `path ${path}`,
      'leads out of the repository',
      'Give it relative to the root of the repository.',
    )
  }
  return clean
}

/**
 * The versions of paths in a commit, in one call of git; undefined for a path that does not exist. The call lists
 * the folders that hold the paths, so that its cost does not grow with their number: git compares every entry with
 * every path that it is given.
 */
export async function versions(
  mirror: Mirror,
  commit: string,
  paths: readonly string[],
): Promise<Map<string, string | undefined>> {
  const clean = new Map(paths.map((path) => [path, repositoryPath(path)]))
  const wanted = new Set([...clean.values()].filter((path) => path !== ''))
  const holders = new Set([...wanted].map((path) => (path.includes('/') ? `${posix.dirname(path)}/` : path)))
  const found = new Map<string, string>()
  if ([...clean.values()].includes('')) {
    const root = await mirror.read({ argv: ['rev-parse', '--verify', '--end-of-options', `${commit}^{tree}`] })
    found.set('', root.stdout.trim())
  }
  if (holders.size > 0) {
    for (const entry of await listTree(mirror, { commit, options: ['-t'], paths: [...holders] })) {
      found.set(entry.path, entry.version)
    }
  }
  return new Map([...clean].map(([path, wantedPath]) => [path, found.get(wantedPath)]))
}

/** What lies directly in a folder of a commit; empty when there is no such folder. */
export async function list(mirror: Mirror, commit: string, folder: string): Promise<TreeEntry[]> {
  const clean = repositoryPath(folder)
  return await listTree(mirror, { commit, options: [], paths: clean === '' ? [] : [`${clean}/`] })
}

/** One entry, with its size; undefined when there is nothing at that path. */
export async function entryAt(mirror: Mirror, commit: string, path: string): Promise<TreeEntry | undefined> {
  const clean = repositoryPath(path)
  if (clean === '') {
    const version = (await versions(mirror, commit, [''])).get('') ?? ''
    return { path: '', kind: 'folder', version, objectId: version }
  }
  const entries = await listTree(mirror, { commit, options: ['-l'], paths: [clean] })
  return entries.find((entry) => entry.path === clean)
}

/** The names in every folder of a commit, by folder (`''` is the root), in one call of git. */
export async function namesByFolder(mirror: Mirror, commit: string): Promise<Map<string, string[]>> {
  const folders = new Map<string, string[]>([['', []]])
  for (const { path, kind } of await listTree(mirror, { commit, options: ['-r', '-t'], paths: [] })) {
    const slash = path.lastIndexOf('/')
    folders.get(path.slice(0, Math.max(0, slash)))?.push(path.slice(slash + 1))
    if (kind === 'folder') folders.set(path, [])
  }
  return folders
}

/** Every file, link and submodule below the paths (all, without paths), with sizes. */
export async function filesBelow(mirror: Mirror, commit: string, paths: readonly string[]): Promise<TreeEntry[]> {
  return await listTree(mirror, { commit, options: ['-r', '-l'], paths: paths.filter((path) => path !== '') })
}

/** The text of a file; undefined when there is none at that path. Larger than `maxBytes` is refused. */
export async function readFile(
  mirror: Mirror,
  { commit, path, maxBytes }: { readonly commit: string; readonly path: string; readonly maxBytes: number },
): Promise<string | undefined> {
  const entry = await entryAt(mirror, commit, path)
  if (entry?.kind !== 'file') {
    return undefined
  }
  if ((entry.size ?? 0) > maxBytes) {
    throw refusal(
      'source/file-too-large',
      { file: path },
      `has ${entry.size} bytes, more than the ${maxBytes} that are read`,
    )
  }
  return (await mirror.read({ argv: ['cat-file', 'blob', entry.objectId] })).stdout
}

async function listTree(
  mirror: Mirror,
  {
    commit,
    options,
    paths,
  }: { readonly commit: string; readonly options: readonly string[]; readonly paths: readonly string[] },
): Promise<TreeEntry[]> {
  const argv = ['ls-tree', '-z', '--full-tree', ...options, '--end-of-options', commit, ...paths]
  const outcome = await mirror.read({ argv, timeoutMs: 5 * 60_000 })
  return outcome.stdout.split('\0').flatMap(parseEntry)
}

/** `100644 blob <id>[ <size>]\t<path>`. */
function parseEntry(line: string): TreeEntry[] {
  const tab = line.indexOf('\t')
  if (tab === -1) {
    return []
  }
  const [mode = '', , objectId = '', size] = line.slice(0, tab).split(/ +/)
  const kind = KINDS[mode] ?? 'file'
  return [
    {
      path: line.slice(tab + 1),
      kind,
      objectId,
      version: kind === 'folder' ? objectId : `${mode}:${objectId}`,
      ...(size === undefined || size === '-' ? {} : { size: Number(size) }),
    },
  ]
}

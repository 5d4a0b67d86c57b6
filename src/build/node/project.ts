import { readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { errorCode } from '../../hosts/error-code.ts'
import { refusal } from '../../problem/problem.ts'

/** The parts of a package.json that a build reads. Whatever it holds was written by people: nothing is taken for granted. */
export interface Manifest {
  readonly main?: unknown
  readonly scripts?: Readonly<Record<string, unknown>>
  readonly workspaces?: unknown
  readonly [field: string]: unknown
}

/** A service's package and the lockfile that governs it. All paths are relative to the tree; `''` is its root. */
export interface Project {
  readonly manifest: Manifest | undefined
  /** The folder of the lockfile: the service's, or one above it in a monorepo. undefined: nothing needs installing. */
  readonly lock?: LockedFolder
  /** Folders whose `node_modules` the service can see, its own first. */
  readonly installFolders: readonly string[]
}

export interface LockedFolder {
  readonly folder: string
  readonly manifest: Manifest
  /** The lockfile. */
  readonly content: Readonly<Record<string, unknown>>
  /** Folders of workspaces and of `file:` dependencies, relative to the tree. */
  readonly members: readonly string[]
  /** The service as one of several workspaces, relative to `folder`. */
  readonly workspace?: string
}

const LOCKFILES = ['npm-shrinkwrap.json', 'package-lock.json']
const OTHERS = ['pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb']
const DEPENDENCY_FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies']

/** Finds the package and the lockfile of the service at `path`; dependencies without a lockfile are refused. */
export async function findProject(tree: string, path: string): Promise<Project> {
  const own = path === '.' ? '' : path
  const manifest = await readManifest(tree, own)
  for (const folder of upwards(own)) {
    const lock = await lockedFolder(tree, folder, own)
    if (lock !== undefined) {
      const installFolders = folder === own ? [own] : [own, folder]
      return needsInstall(manifest, lock) ? { manifest, lock, installFolders } : { manifest, installFolders }
    }
  }
  if (manifest !== undefined && (hasDependencies(manifest) || ownInstallScripts(manifest).length > 0)) {
    throw await noLockfile(tree, own)
  }
  return { manifest, installFolders: [own] }
}

/** Scripts of the package itself that npm runs when it installs: they may read and write anything in the tree. */
export function ownInstallScripts(manifest: Manifest): string[] {
  const names = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']
  return names.filter((name) => typeof manifest.scripts?.[name] === 'string')
}

export async function readManifest(tree: string, folder: string): Promise<Manifest | undefined> {
  const file = posix.join(folder, 'package.json')
  const text = await readText(join(tree, file))
  if (text === undefined) {
    return undefined
  }
  const parsed = parseJson(text)
  if (!isRecord(parsed)) {
    throw refusal('build/bad-package', { file }, 'is not a JSON object', 'Correct the file; `npm pkg fix` may help.')
  }
  const scripts = isRecord(parsed['scripts']) ? { scripts: parsed['scripts'] } : {}
  const { scripts: _, ...fields } = parsed
  return { ...fields, ...scripts }
}

export async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw error
  })
}

/** `services/backend`, `services`, `''`. */
function upwards(folder: string): string[] {
  const folders = [folder]
  for (let at = folder; at !== '';) {
    at = posix.dirname(at) === '.' ? '' : posix.dirname(at)
    folders.push(at)
  }
  return folders
}

async function lockedFolder(tree: string, folder: string, service: string): Promise<LockedFolder | undefined> {
  const manifest = await readManifest(tree, folder)
  for (const name of LOCKFILES) {
    const file = posix.join(folder, name)
    const text = manifest === undefined ? undefined : await readText(join(tree, file))
    if (manifest === undefined || text === undefined) continue
    const parsed = parseJson(text)
    if (!isRecord(parsed)) {
      throw refusal(
        'build/bad-lockfile',
        { file },
        'is not a JSON object',
        'Write it anew with: npm install --package-lock-only',
      )
    }
    const packages = isRecord(parsed['packages']) ? Object.keys(parsed['packages']) : []
    const members = packages.filter((key) => key !== '' && !key.split('/').includes('node_modules'))
    const workspace = posix.relative(folder, service)
    return {
      folder,
      manifest,
      content: parsed,
      members: members.map((member) => posix.join(folder, member)),
      ...(members.includes(workspace) && manifest.workspaces !== undefined ? { workspace } : {}),
    }
  }
  return undefined
}

function needsInstall(own: Manifest | undefined, lock: LockedFolder): boolean {
  return [own, lock.manifest].some(
    (manifest) => manifest !== undefined && (hasDependencies(manifest) || ownInstallScripts(manifest).length > 0),
  )
}

function hasDependencies(manifest: Manifest): boolean {
  return DEPENDENCY_FIELDS.some((field) => isRecord(manifest[field]) && Object.keys(manifest[field]).length > 0)
}

async function noLockfile(tree: string, folder: string): Promise<Error> {
  const file = posix.join(folder, 'package.json')
  const other = await Promise.all(
    OTHERS.map((name) =>
      stat(join(tree, folder, name)).then(
        () => [name],
        () => [],
      ),
    ),
  )
  const [foreign] = other.flat()
  const hint =
    foreign === undefined
      ? 'Write one with `npm install --package-lock-only` and commit it. If it lies at the root of the repository, list it and the package.json beside it in "shared".'
      : `There is a ${foreign}: npm is what Drover installs with. Commit a package-lock.json, or set "language: command" and install in the build command.`
  return refusal(
    'build/no-lockfile',
    { file },
    'has dependencies but no package-lock.json, so that no two builds need be the same',
    hint,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

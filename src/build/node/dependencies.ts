import { hash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { BuildContext } from '../builder.ts'
import type { Inventory } from '../../hosts/inventory/inventory.ts'
import { isRecord, ownInstallScripts, readManifest, readText } from './project.ts'
import type { LockedFolder, Manifest, Project } from './project.ts'

export const INSTALL_NODE = 'Install Node and npm, such as with: apt-get install nodejs npm'

/** What npm would otherwise say and ask at every run. */
const QUIET = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' }

/** Fields of a package.json that decide what is installed, or which programs are linked. */
const INSTALL_FIELDS = [
  'name',
  'version',
  'bin',
  'workspaces',
  'overrides',
  'engines',
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bundleDependencies',
  'bundledDependencies',
  'allowScripts',
  'prisma',
]

/** Fills every `node_modules` that the lockfile asks for. Gives the inventories of those that came out of a layer. */
export async function installDependencies(
  context: BuildContext,
  { lock }: Project,
  { development }: { readonly development: boolean },
): Promise<ReadonlyMap<string, Inventory>> {
  const { tree, service, shell, layers } = context
  if (lock === undefined) {
    return new Map()
  }
  const argv = ['ci', ...(development ? [] : ['--omit=dev']), ...workspaceOptions(lock)]
  const install = async (): Promise<void> => {
    shell.say(`$ npm ${argv.join(' ')}`)
    await shell.run({ program: 'npm', argv, cwd: join(tree, lock.folder), env: QUIET, install: INSTALL_NODE })
  }
  const members = await membersOf(tree, lock)
  if ([lock.manifest, ...members.values()].some((manifest) => ownInstallScripts(manifest).length > 0)) {
    // Such a script may read and write anything in the tree: what it makes is no function of the lockfile.
    await install()
    return new Map()
  }
  // Without members a layer fits any service with the same dependencies, wherever it lies.
  const base = lock.members.length === 0 ? lock.folder : ''
  const laid = await layers.lay(await layerKey(context, { lock, members, argv }), {
    tree: join(tree, base),
    as: service.build === undefined ? 'link' : 'copy',
    make: async () => {
      await install()
      return await modulesFolders(join(tree, base))
    },
  })
  return new Map([...laid].map(([place, inventory]) => [posix.join(base, place), inventory]))
}

/** Takes out what only the build needed. */
export async function pruneDevelopment({ tree, shell }: BuildContext, { lock }: Project): Promise<void> {
  if (lock === undefined) {
    return
  }
  const argv = ['prune', '--omit=dev', ...workspaceOptions(lock)]
  shell.say(`$ npm ${argv.join(' ')}`)
  await shell.run({ program: 'npm', argv, cwd: join(tree, lock.folder), env: QUIET, install: INSTALL_NODE })
}

/** Of a monorepo only what this service and the root need; the folders of the others are not even checked out. */
function workspaceOptions({ workspace }: LockedFolder): string[] {
  return workspace === undefined ? [] : ['--workspace', workspace, '--include-workspace-root']
}

async function membersOf(tree: string, lock: LockedFolder): Promise<Map<string, Manifest>> {
  const manifests = new Map<string, Manifest>()
  for (const member of lock.members.filter((path) => !path.startsWith('..'))) {
    const manifest = await readManifest(tree, member)
    if (manifest !== undefined) manifests.set(member, manifest)
  }
  return manifests
}

interface LayerInputs {
  readonly lock: LockedFolder
  readonly members: ReadonlyMap<string, Manifest>
  readonly argv: readonly string[]
}

/** Everything that decides what `npm ci` leaves in the tree. */
async function layerKey(
  { tree, service, toolchain }: BuildContext,
  { lock, members, argv }: LayerInputs,
): Promise<string> {
  const settings = await Promise.all(
    [lock.folder, service.path].map((folder) => readText(join(tree, folder, '.npmrc'))),
  )
  const parts = [
    toolchain,
    argv,
    lock.members.length === 0
      ? []
      : [lock.folder, ...[...members].map(([path, manifest]) => [path, installFields(manifest)])],
    lockedPackages(lock),
    installFields({ ...lock.manifest, name: undefined, version: undefined }),
    settings,
    await prismaSchema(tree, lock, service.path),
  ]
  return `node-${hash('sha256', JSON.stringify(parts)).slice(0, 32)}`
}

/** The lockfile without the name of the project, so that services with the same dependencies share a layer. */
function lockedPackages({ content }: LockedFolder): unknown {
  const packages = isRecord(content['packages']) ? content['packages'] : {}
  const root = isRecord(packages['']) ? packages[''] : {}
  const anonymous = { name: undefined, version: undefined }
  return { ...content, ...anonymous, packages: { ...packages, '': { ...root, ...anonymous } } }
}

function installFields(manifest: Manifest): unknown {
  return INSTALL_FIELDS.map((field) => [field, manifest[field] ?? null])
}

/** The one well-known package whose own install script reads the project: it generates a client from the schema. */
async function prismaSchema(tree: string, lock: LockedFolder, servicePath: string): Promise<readonly string[]> {
  if (!(isRecord(lock.content['packages']) && 'node_modules/@prisma/client' in lock.content['packages'])) {
    return []
  }
  const folders = new Set([lock.folder, servicePath].flatMap((folder) => [folder, posix.join(folder, 'prisma')]))
  const texts: string[] = []
  for (const folder of folders) {
    const names = await readdir(join(tree, folder)).catch(() => [])
    for (const name of names.filter((each) => each.endsWith('.prisma')).toSorted()) {
      texts.push(`${folder}/${name}`, (await readText(join(tree, folder, name))) ?? '')
    }
  }
  return texts
}

/**
 * The outermost `node_modules` of the tree: with workspaces and `file:` dependencies there are several. npm's own note
 * in them goes: it holds the name of the project, and npm does without it.
 */
async function modulesFolders(tree: string, folder = ''): Promise<string[]> {
  const entries = await readdir(join(tree, folder), { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => posix.join(folder, entry.name))
  const found = await Promise.all(
    folders.map(async (path) => {
      if (posix.basename(path) !== 'node_modules') return await modulesFolders(tree, path)
      await rm(join(tree, path, '.package-lock.json'), { force: true })
      return [path]
    }),
  )
  return found.flat().toSorted()
}

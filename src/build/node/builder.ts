import { join, posix } from 'node:path'
import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import { rememberingToolchain } from '../builder.ts'
import type { BuildContext, Builder, Built } from '../builder.ts'
import type { Inventory } from '../../hosts/inventory/inventory.ts'
import { INSTALL_NODE, installDependencies, pruneDevelopment } from './dependencies.ts'
import { findProject } from './project.ts'
import { startOf } from './start.ts'

/**
 * Node with npm. Dependencies come from the lockfile exactly; without a build command they are laid from a layer by
 * hard links, with one the build gets its own copy, development dependencies included, which go again afterwards. A
 * service that migrates keeps them: migration tools (prisma) usually are among them, and migrations run from the artifact.
 */
export const nodeBuilder: Builder = rememberingToolchain(
  {
    language: 'node',
    version: 1,
    compiles: false,
    passedOn: [
      'NPM_CONFIG_REGISTRY',
      'npm_config_registry',
      'NPM_CONFIG_USERCONFIG',
      'npm_config_userconfig',
      'NPM_CONFIG_CAFILE',
      'npm_config_cafile',
      'NPM_CONFIG_CACHE',
      'npm_config_cache',
      'NPM_TOKEN',
      'NODE_AUTH_TOKEN',
    ],
    toolchain,
    build,
  },
  { program: 'node' },
)

async function toolchain(host: Host): Promise<string> {
  const script =
    'process.stdout.write([process.version, process.platform, process.arch, process.versions.modules].join(" "))'
  const outcome = await host.run({ program: 'node', argv: ['-e', script], cwd: '/' })
  if (!outcome.ok) {
    throw refusal('build/no-toolchain', `host ${host.name}`, 'node cannot be started', INSTALL_NODE)
  }
  return `node ${outcome.stdout}`
}

async function build(context: BuildContext): Promise<Built> {
  const { service, tree, shell } = context
  const project = await findProject(tree, service.path)
  const keepDevelopment = service.build !== undefined || service.migrate !== undefined
  const laid = await installDependencies(context, project, { development: keepDevelopment })
  const bin = project.installFolders.map((folder) => join(tree, folder, 'node_modules/.bin'))
  let known: ReadonlyMap<string, Inventory> = laid
  if (service.build !== undefined) {
    await shell.runLine(service.build, { cwd: join(tree, service.path), bins: bin })
    if (service.migrate === undefined) {
      await pruneDevelopment(context, project)
    }
    known = new Map()
  }
  const bins = project.installFolders.map((folder) =>
    posix.join(posix.relative(service.path, folder), 'node_modules/.bin'),
  )
  const start = await startOf(service, { tree, project, bins })
  return { start, environment: { NODE_ENV: 'production' }, known }
}

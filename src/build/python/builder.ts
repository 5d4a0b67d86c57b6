import { stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import { rememberingToolchain } from '../builder.ts'
import type { BuildContext, Builder, Built } from '../builder.ts'
import { startLine } from '../start-line.ts'
import { INSTALL_PYTHON, PACKAGES, compileAll, installDependencies } from './dependencies.ts'
import { findRequirements } from './requirements.ts'

const CONVENTIONAL = ['main.py', 'app.py', 'src/main.py']

/**
 * Python with pip. Dependencies are installed into a folder of the artifact that PYTHONPATH names, not into a virtual
 * environment, which cannot be moved; see docs/decisions. Bytecode is compiled here, so that nothing is written into
 * the artifact when the service runs.
 */
export const pythonBuilder: Builder = rememberingToolchain(
  {
    language: 'python',
    version: 1,
    compiles: false,
    passedOn: [
      'PIP_INDEX_URL',
      'PIP_EXTRA_INDEX_URL',
      'PIP_TRUSTED_HOST',
      'PIP_CERT',
      'PIP_CONFIG_FILE',
      'PIP_FIND_LINKS',
      'PIP_NO_INDEX',
      'PIP_DEFAULT_TIMEOUT',
      'PIP_CACHE_DIR',
    ],
    toolchain,
    build,
  },
  { program: 'python3' },
)

async function toolchain(host: Host): Promise<string> {
  const script =
    'import sys,sysconfig;print(sys.implementation.cache_tag,sys.version.split()[0],sysconfig.get_platform())'
  const outcome = await host.run({ program: 'python3', argv: ['-I', '-c', script], cwd: '/' })
  if (!outcome.ok) {
    throw refusal('build/no-toolchain', `host ${host.name}`, 'python3 cannot be started', INSTALL_PYTHON)
  }
  return `python ${outcome.stdout.trim()}`
}

async function build(context: BuildContext): Promise<Built> {
  const { service, tree, shell } = context
  const folder = join(tree, service.path)
  const requirements = await findRequirements(context)
  const laid = requirements === undefined ? new Map() : await installDependencies(context, requirements)
  const bins = requirements === undefined ? [] : [`${PACKAGES}/bin`]
  if (service.build !== undefined) {
    const env = { PYTHONPATH: (await importFolders(tree, service.path)).map((path) => join(tree, path)).join(':') }
    await shell.runLine(service.build, { cwd: folder, bins: bins.map((bin) => join(folder, bin)), env })
  }
  // The installed packages are compiled already, and may be hard links.
  await compileAll(context, { folder: tree, options: ['-q', '-x', `/(\\${PACKAGES}|node_modules)/`] })
  const start = service.start ?? `python3 ${await conventionalProgram(folder, service.name)}`
  const path = (await importFolders(tree, service.path)).map((each) => posix.join('{artifact}', each)).join(':')
  return {
    start: startLine(start, usedBins(start) ? bins : []),
    environment: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' },
    // A build command may have changed what was laid.
    known: service.build === undefined ? laid : new Map(),
  }
}

/** `python3 main.py` finds its modules by itself; anything else (`gunicorn app:app`) is an installed program. */
function usedBins(start: string): boolean {
  return !/^\s*(\/usr\/bin\/)?python3?(\.\d+)?\s/.test(start)
}

/** What `import` looks through, relative to the tree: the service's folder, its `src`, and the installed packages. */
async function importFolders(tree: string, path: string): Promise<string[]> {
  const candidates = [path, posix.join(path, 'src'), posix.join(path, PACKAGES)]
  const there = await Promise.all(
    candidates.map((each) =>
      stat(join(tree, each)).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    ),
  )
  return candidates.filter((_, i) => there[i] === true)
}

async function conventionalProgram(folder: string, service: string): Promise<string> {
  for (const name of CONVENTIONAL) {
    if ((await stat(join(folder, name)).catch(() => undefined))?.isFile() === true) return name
  }
  throw refusal(
    'build/no-start',
    `service ${service}`,
    `nothing says how it is started, and there is no ${CONVENTIONAL.join(', ')}`,
    'Add "start" to the service in drover.yaml, such as: start: gunicorn app:app',
  )
}

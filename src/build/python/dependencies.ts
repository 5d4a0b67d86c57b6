import { hash } from 'node:crypto'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { BuildContext } from '../builder.ts'
import type { Inventory } from '../../hosts/inventory/inventory.ts'
import { takeInventory } from '../../hosts/inventory/take-inventory.ts'
import type { Requirements } from './requirements.ts'

/** Where installed packages lie, relative to the service's folder. */
export const PACKAGES = '.packages'

export const INSTALL_PYTHON = 'Install Python 3 and pip, such as with: apt-get install python3 python3-pip'

const QUIET = { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore', PIP_NO_INPUT: '1' }

/** Lays the packages from a layer. Gives its inventory by place. */
export async function installDependencies(
  context: BuildContext,
  requirements: Requirements,
): Promise<ReadonlyMap<string, Inventory>> {
  const { service, tree, layers } = context
  const place = posix.join(service.path, PACKAGES)
  return await layers.lay(await layerKey(context, requirements), {
    tree,
    as: service.build === undefined ? 'link' : 'copy',
    make: async () => {
      await install(context, requirements)
      return [place]
    },
  })
}

async function install(context: BuildContext, { file }: Requirements): Promise<void> {
  const { service, tree, shell } = context
  const folder = join(tree, service.path)
  const target = join(folder, PACKAGES)
  const options = ['--no-user', '--no-compile', '--no-warn-script-location', '--progress-bar', 'off']
  const argv = ['-m', 'pip', 'install', ...options, '--target', target, '--requirement', file]
  shell.say(`$ pip install --requirement ${file}`)
  await shell.run({ program: 'python3', argv, cwd: folder, env: QUIET, install: INSTALL_PYTHON })
  // pip makes no folder when every requirement is for another platform.
  await rm(join(target, '.lock'), { force: true })
  await makeProgramsMovable(join(target, 'bin'))
  await compileAll(context, { folder: target, options: ['-qq'] })
}

/**
 * Compiles modules to bytecode. Unchecked: Python then compares neither times, which an upload may change, nor content.
 * The tree is cut off the names that tracebacks show, so that equal sources give equal bytecode. A file that is no
 * valid Python (a template, a parser's test) is a problem only when it is imported: it is told, and left.
 */
export async function compileAll(
  { shell, tree }: BuildContext,
  { folder, options }: { readonly folder: string; readonly options: readonly string[] },
): Promise<void> {
  const argv = ['-I', '-m', 'compileall', ...options, '--invalidation-mode', 'unchecked-hash', '-s', tree, folder]
  const command = { program: 'sh', argv: ['-c', 'python3 "$@" || test $? -eq 1', 'sh', ...argv] }
  await shell.run({ ...command, install: INSTALL_PYTHON })
}

/** Programs that pip writes name the interpreter of this machine by its path; the host's own may be elsewhere. */
async function makeProgramsMovable(bin: string): Promise<void> {
  for (const name of await readdir(bin).catch(() => [])) {
    const path = join(bin, name)
    const text = await readFile(path, 'latin1')
    if (!text.startsWith('#!')) continue
    await writeFile(path, text.replace(/^#!.*python.*$/m, '#!/usr/bin/env python3'), 'latin1')
  }
}

/** Everything that decides what pip installs. */
async function layerKey(
  { tree, service, toolchain }: BuildContext,
  { texts, readsTree }: Requirements,
): Promise<string> {
  const content = readsTree ? (await takeInventory(tree)).digest : undefined
  const parts = [toolchain, service.path, [...texts], content ?? null]
  return `python-${hash('sha256', JSON.stringify(parts)).slice(0, 32)}`
}

import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../../hosts/host.ts'
import { passOn } from '../../hosts/pass-on.ts'
import { refusal } from '../../problem/problem.ts'
import { rememberingToolchain } from '../builder.ts'
import type { BuildContext, Builder, Built } from '../builder.ts'
import { startLine } from '../start-line.ts'
import { findMainPackage } from './main-package.ts'
import { removeSources } from './sources.ts'

const INSTALL_GO = 'Install Go from https://go.dev/dl, or with: apt-get install golang-go'

/** Settings of the Go tools; those that change the program are part of the toolchain's name. */
const VARIABLES = [
  'GOCACHE',
  'XDG_CACHE_HOME',
  'GOFLAGS',
  'GOPROXY',
  'GOPRIVATE',
  'GONOPROXY',
  'GOSUMDB',
  'GONOSUMDB',
  'GOINSECURE',
  'GOAUTH',
  'GOTOOLCHAIN',
  'GOPATH',
  'GOMODCACHE',
  'CGO_ENABLED',
  'CC',
  'CXX',
  'CGO_CFLAGS',
  'CGO_LDFLAGS',
]

/**
 * Go modules. The artifact holds the program and whatever in the service's folder is no source: templates,
 * migrations, certificates. `-trimpath` and `-buildvcs=false` make equal sources give equal programs, wherever and from
 * whichever commit they are built.
 */
export const goBuilder: Builder = rememberingToolchain({
  language: 'go',
  version: 1,
  compiles: true,
  passedOn: VARIABLES,
  toolchain,
  build,
})

/** Asked outside of every module, whose go.mod could name another toolchain; that file is an input already. */
async function toolchain(host: Host): Promise<string> {
  const variables = ['GOVERSION', 'GOOS', 'GOARCH', 'CGO_ENABLED', 'GOFLAGS']
  const outcome = await host.run({ program: 'go', argv: ['env', ...variables], cwd: '/', env: passOn(VARIABLES) })
  if (!outcome.ok) {
    throw refusal('build/no-toolchain', `host ${host.name}`, 'go cannot be started', INSTALL_GO)
  }
  return outcome.stdout.trim().split('\n').join(' ').trim()
}

async function build(context: BuildContext): Promise<Built> {
  const { service, tree, shell, cache } = context
  const folder = join(tree, service.path)
  const program = `bin/${service.name}`
  const env = ownCache(cache)
  if (service.build === undefined) {
    const argv = ['build', '-trimpath', '-buildvcs=false', '-o', program, await findMainPackage(folder, service.name)]
    shell.say(`$ go ${argv.join(' ')}`)
    await shell.run({ program: 'go', argv, cwd: folder, env, install: INSTALL_GO })
  } else {
    await shell.runLine(service.build, { cwd: folder, env })
  }
  await removeSources(tree)
  await mkdir(folder, { recursive: true })
  if (service.start === undefined && !(await isFile(join(folder, program)))) {
    throw refusal(
      'build/no-start',
      `service ${service.name}`,
      `its build made no ${program}, which is what would be started`,
      `Let the build command write ${program}, or add "start" to the service in drover.yaml.`,
    )
  }
  return { start: startLine(service.start ?? `./${program}`), environment: {}, known: new Map() }
}

/** The person's own build cache is warm and made to be shared; a system user without a home has none. */
function ownCache(cache: string): Record<string, string> {
  const found = passOn(['HOME', 'XDG_CACHE_HOME', 'GOCACHE'])
  return Object.keys(found).length > 0 ? {} : { GOCACHE: join(cache, 'go') }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true
}

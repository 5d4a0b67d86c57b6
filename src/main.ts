import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runDrover } from './cli/run.ts'
import type { GlassOptions, ServerOptions } from './cli/surroundings.ts'
import type { GlassReport } from './release/break-glass.ts'

/** The program `drover`. What a control plane is made of is loaded only when one is to run: the clients start quickly. */
const version = versionOf(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))

process.exitCode = await runDrover(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  version,
  self: [process.execPath, import.meta.filename],
  startServer,
  breakGlass,
  onInterrupt: (callback) => {
    process.on('SIGINT', callback)
    return () => process.off('SIGINT', callback)
  },
})

async function startServer({ host, port, home, databaseUrl, sshConfig, ready }: ServerOptions): Promise<void> {
  const [{ openControlPlane }, { homeIn }, { runServer }, { dieAt }] = await Promise.all([
    import('./drivers.ts'),
    import('./server/home.ts'),
    import('./server/run.ts'),
    import('./journal/faults.ts'),
  ])
  const stop = new AbortController()
  process.on('SIGTERM', () => stop.abort())
  process.on('SIGINT', () => stop.abort())
  const log = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)
  // Only for tests of crashes: ends the process at a named point of a release.
  const point = process.env['DROVER_DIE_AT']
  await runServer({
    home: homeIn(home),
    host,
    port,
    version,
    signal: stop.signal,
    ready,
    log,
    open: () =>
      openControlPlane({
        folder: home,
        log,
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
        ...(sshConfig === undefined ? {} : { ssh: { configFile: sshConfig } }),
        ...(point === undefined || point === '' ? {} : { faults: dieAt(point) }),
      }),
  })
}

async function breakGlass({ sshConfig, ...options }: GlassOptions): Promise<GlassReport> {
  const { breakGlassOn } = await import('./drivers.ts')
  return breakGlassOn({ ...options, ...(sshConfig === undefined ? {} : { ssh: { configFile: sshConfig } }) })
}

function versionOf(text: string): string {
  const found: unknown = JSON.parse(text)
  return typeof found === 'object' && found !== null && 'version' in found ? String(found.version) : 'unknown'
}

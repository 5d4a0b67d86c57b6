import { createRequire } from 'node:module'
import { runDrover } from '../../src/cli/run.ts'
import type { ServerOptions } from '../../src/cli/surroundings.ts'

/**
 * The command line with a control plane in memory behind `serve`. DROVER_TEST_PACE: milliseconds that each step takes.
 * DROVER_TEST_SERVICES: names of the services. DROVER_TEST_FAULT: what keeps the control plane from coming up.
 */
const { env } = process
const { version }: { version: string } = createRequire(import.meta.url)('../../package.json')

async function startServer({ host, port, home, ready }: ServerOptions): Promise<void> {
  if (env['DROVER_TEST_FAULT']) throw new Error(env['DROVER_TEST_FAULT'])
  const { homeIn } = await import('../../src/server/home.ts')
  const { runServer } = await import('../../src/server/run.ts')
  const { testingControlPlane } = await import('../../src/server/testing-control-plane.ts')
  const { testingHostOperations } = await import('../../src/server/testing-host-operations.ts')
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort()).once('SIGINT', () => stop.abort())
  const services = env['DROVER_TEST_SERVICES']?.split(' ')
  const pace = { paceMs: Number(env['DROVER_TEST_PACE'] ?? 1) }
  await runServer({
    home: homeIn(home),
    host,
    port,
    version,
    open: async () => {
      const controlPlane = testingControlPlane(services === undefined ? pace : { ...pace, services })
      const hostOperations = testingHostOperations()
      return { controlPlane, hostOperations, health: async () => ({ ok: true }), close: () => controlPlane.close() }
    },
    signal: stop.signal,
    ready,
    log: (line) => process.stderr.write(`${line}\n`),
  })
}

process.exitCode = await runDrover(process.argv.slice(2), {
  env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  version,
  self: [process.execPath, import.meta.filename],
  startServer,
  breakGlass: () => Promise.reject(new Error('no host is known here')),
  onInterrupt: (callback) => {
    process.on('SIGINT', callback)
    return () => void process.off('SIGINT', callback)
  },
})

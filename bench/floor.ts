import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stage } from '../demo/stage.ts'
import { PROJECT } from '../demo/stage.ts'

export interface Floor {
  /** Checkout of the service and its shared folder, and its node_modules laid by hard links. */
  readonly buildMs: number
  /** From the call of PM2 to the first 2xx of the readiness path. */
  readonly startMs: number
}

/**
 * The floor of "one service changed", put together by hand with nothing of Drover: what has to happen whatever tool does
 * it, one after the other. PM2 is called as its documentation says.
 */
export async function floorOfOneService(stage: Stage, service: string, port: number): Promise<Floor> {
  const folder = await mkdtemp(join(stage.folder, 'floor-'))
  const place = join(folder, 'services', service)
  const home = join(folder, 'pm2')
  const pm2 = (...argv: string[]): void => {
    execFileSync(join(PROJECT, 'tools/pm2/node_modules/.bin/pm2'), argv, {
      env: { ...stage.environment, ...variables },
      stdio: 'ignore',
    })
  }
  const config = 3085 + stage.portOffset
  const variables = {
    PM2_HOME: home,
    PORT: String(port),
    HOST: '127.0.0.1',
    DATABASE_URL: stage.databaseUrl,
    CONFIG_URL: `http://127.0.0.1:${config}`,
    GATEWAY_URL: `http://127.0.0.1:${8000 + stage.portOffset}`,
    BACKEND_URL: `http://127.0.0.1:${3080 + stage.portOffset}`,
  }
  const modules = join(stage.folder, 'floor-modules')
  execFileSync('mkdir', ['-p', modules])
  for (const file of ['package.json', 'package-lock.json'])
    execFileSync('cp', [join(stage.repository, 'services', service, file), modules])
  execFileSync('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: modules,
    stdio: 'ignore',
  })
  pm2('ping')
  try {
    const began = performance.now()
    execFileSync('sh', [
      '-c',
      `git -C "$1" archive HEAD -- services/${service} packages/service | tar -x -C "$2" && cp -al "$3/node_modules" "$4/"`,
      'sh',
      stage.repository,
      folder,
      modules,
      place,
    ])
    const built = performance.now()
    pm2('start', join(place, 'server.js'), '--name', 'floor', '--cwd', place)
    await untilReady(port)
    const ready = performance.now()
    return { buildMs: built - began, startMs: ready - built }
  } finally {
    pm2('kill')
    await rm(folder, { recursive: true, force: true })
  }
}

async function untilReady(port: number): Promise<void> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
    await response?.text()
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('the floor service never got ready')
}

/** The document's deploy.sh in a clone of its own, on the ports that Drover's fleet has left. */
export async function deployScript(stage: Stage, clone: string): Promise<{ ms: number; exitCode: number }> {
  const redis = await secretOf(stage, 'REDIS_URL')
  const env = {
    ...stage.environment,
    PORT_OFFSET: String(stage.portOffset),
    DATABASE_URL: stage.databaseUrl,
    REDIS_URL: redis,
    PRISMA_SCHEMA_ENGINE_BINARY: join(PROJECT, 'examples/pakashop/tools/prisma-engine/schema-engine.js'),
  }
  const began = performance.now()
  const child = spawn('bash', ['scripts/deploy.sh', 'production'], {
    cwd: clone,
    env,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return { ms: performance.now() - began, exitCode: code ?? 1 }
}

export function stopScriptFleet(clone: string): void {
  execFileSync('bash', ['scripts/stop-all.sh'], { cwd: clone, stdio: 'ignore' })
}

async function secretOf(stage: Stage, name: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(join(stage.home, 'secrets/pakashop/production.env'), 'utf8')
  return new RegExp(`^${name}='(.*)'$`, 'm').exec(text)?.[1] ?? ''
}

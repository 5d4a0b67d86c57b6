import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
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

/** What is done to each service of the fleet, by hand. */
const BUILD_ALL = `
set -eu
repository=$1 host=$2 folder=$3
build() {
  service=$1
  place=$folder/$service
  running=$(readlink -f "$(sed -n "s/^cd '*\\([^']*\\)'* || exit 1/\\1/p" "$host"/slots/$service/*/run | tail -1)")
  mkdir "$place"
  git -C "$repository" archive HEAD -- "services/$service" packages | tar -x -C "$place"
  for installed in node_modules .packages; do
    [ ! -e "$running/$installed" ] || cp -al "$running/$installed" "$place/services/$service/"
  done
  [ ! -e "$place/services/$service/src/go.mod" ] && [ ! -e "$place/services/$service/go.mod" ] ||
    (cd "$place/services/$service" && go build -trimpath -buildvcs=false -o "bin/$service" ./src)
}
if [ $# -eq 4 ]; then build "$4"; exit; fi
ls "$repository/services" | xargs -P "$(nproc)" -n 1 sh "$0" "$repository" "$host" "$folder"
`

/**
 * The floor of "all 19 changed": checkouts, installed packages by hard links and Go's builds on all cores, the migration,
 * and one start of PM2 for each tier of the order, whose services have to be ready before the next.
 */
export async function floorOfAll(stage: Stage, tiers: readonly (readonly string[])[]): Promise<Floor> {
  const folder = await mkdtemp(join(stage.folder, 'floor-'))
  const host = join(stage.home, 'hosts/pakashop/production')
  const script = join(folder, 'build.sh')
  const env = { ...stage.environment, PM2_HOME: join(folder, 'pm2') }
  const pm2 = (...argv: string[]): void => {
    execFileSync(join(PROJECT, 'tools/pm2/node_modules/.bin/pm2'), argv, { env, stdio: 'ignore' })
  }
  await writeFile(script, BUILD_ALL)
  const ports = await portsOf(join(stage.repository, 'drover.yaml'))
  pm2('ping')
  try {
    const began = performance.now()
    execFileSync('sh', [script, stage.repository, host, folder], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const built = performance.now()
    execFileSync(
      'sh',
      [
        '-c',
        `set -a; . ${host}/env/backend/*.env; cd ${folder}/backend/services/backend; exec npx prisma migrate deploy`,
      ],
      {
        env,
        stdio: 'ignore',
      },
    )
    for (const [index, tier] of tiers.entries()) {
      const file = join(folder, `tier-${index}.json`)
      await writeFile(file, JSON.stringify({ apps: tier.map((service) => app(service, ports.get(service)!)) }))
      pm2('start', file)
      await Promise.all(tier.map((service) => untilReady(ports.get(service)!)))
    }
    return { buildMs: built - began, startMs: performance.now() - built }
  } finally {
    pm2('kill')
    await rm(folder, { recursive: true, force: true })
  }

  function app(service: string, port: number): Record<string, unknown> {
    const place = join(folder, service, 'services', service)
    const program = existsSync(join(place, 'server.js'))
      ? 'exec node server.js'
      : existsSync(join(place, 'main.py'))
        ? 'PYTHONPATH=.packages exec python3 main.py'
        : `exec ./bin/${service}`
    const command = `set -a; . ${host}/env/${service}/*.env; PORT=${port}; HOST=127.0.0.1; set +a; cd ${place}; ${program}`
    return { name: service, script: '/bin/sh', args: ['-c', command], interpreter: 'none', vizion: false, pmx: false }
  }
}

/** Each service's port beside the one of the fleet that runs. */
async function portsOf(manifest: string): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(manifest, 'utf8')
  return new Map(
    [...text.matchAll(/^ {2}(\w+): \{ port: (\d+)/gm)].map(([, name, port]) => [name!, Number(port) + 700]),
  )
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
  const text = await readFile(join(stage.home, 'secrets/pakashop/production.env'), 'utf8')
  return new RegExp(`^${name}='(.*)'$`, 'm').exec(text)?.[1] ?? ''
}

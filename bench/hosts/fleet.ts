import { existsSync } from 'node:fs'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface FleetService {
  readonly name: string
  /** Its stable port on the hosts. */
  readonly port: number
  readonly language: 'node' | 'go' | 'python'
  /** Services of a tier are ready before those of a later one start. */
  readonly tier: number
}

const TIERS: Readonly<Record<string, number>> = { config: 0, gateway: 1, backend: 2, search: 2, analytics: 2 }

/** The services of examples/pakashop in the order of its drover.yaml, which is that of the written procedure. */
export async function readFleet(folder: string): Promise<FleetService[]> {
  const manifest = await readFile(join(folder, 'drover.yaml'), 'utf8')
  return [...manifest.matchAll(/^ {2}(\w+): \{ port: (\d+)/gm)].map(([, name = '', port]) => ({
    name,
    port: Number(port),
    language: languageOf(join(folder, 'services', name)),
    tier: TIERS[name] ?? 3,
  }))
}

function languageOf(folder: string): FleetService['language'] {
  if (existsSync(join(folder, 'package.json'))) return 'node'
  return existsSync(join(folder, 'go.mod')) ? 'go' : 'python'
}

/**
 * Takes the migration out of a copy of the fleet: it costs everybody the same, and its tool wants to download an engine,
 * for which the hosts have no way out. What is left of backend's packages are coupon's.
 */
export async function withoutPrisma(folder: string): Promise<void> {
  const backend = join(folder, 'services/backend')
  for (const file of ['package.json', 'package-lock.json']) {
    const text = await readFile(join(folder, 'services/coupon', file), 'utf8')
    await writeFile(join(backend, file), text.replaceAll('pakashop-coupon', 'pakashop-backend'))
  }
  for (const file of ['prisma', 'prisma.config.mjs', '.npmrc']) {
    await rm(join(backend, file), { recursive: true, force: true })
  }
  await rm(join(folder, 'tools/prisma-engine'), { recursive: true, force: true })
}

/** The SQL of all migrations, oldest first. */
export async function migrations(example: string): Promise<string[]> {
  const folder = join(example, 'services/backend/prisma/migrations')
  const names = (await readdir(folder)).filter((name) => /^\d/.test(name)).toSorted()
  return Promise.all(names.map((name) => readFile(join(folder, name, 'migration.sql'), 'utf8')))
}

/** Addresses of services and stores, as every service of the fleet gets them. */
export function variables(services: readonly FleetService[], stores: Readonly<Record<string, string>>): string[] {
  const urls = services.map(({ name, port }) => `${name.toUpperCase()}_URL=http://127.0.0.1:${port}`)
  return [...urls, ...Object.entries(stores).map(([name, value]) => `${name}=${value}`)]
}

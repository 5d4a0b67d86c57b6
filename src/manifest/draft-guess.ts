import { z } from 'zod'

/** What a text of a repository gives away. Pure: text in, guess out; nothing here is certain, and `draft.ts` says so. */

const packageSchema = z.object({
  name: z.string().catch(''),
  scripts: z.record(z.string(), z.string()).catch({}),
})
const EMPTY = packageSchema.parse({})

export type PackageFile = z.infer<typeof packageSchema>

/** A package.json, however broken. */
export function readPackage(text: string): PackageFile {
  try {
    return packageSchema.catch(EMPTY).parse(JSON.parse(text))
  } catch {
    return EMPTY
  }
}

const PORT_PATTERNS = [
  // process.env.PORT || 3080, process.env['PORT'] ?? '3080', Number(env.PORT ?? 3080)
  /\benv(?:\.PORT|\[['"]PORT['"]\])\s*(?:\|\||\?\?)\s*['"]?(\d{2,5})\b/,
  // os.environ.get("PORT", "8000"), os.getenv('PORT', 8000), getenv("PORT", "8080")
  /\b(?:get|getenv|Getenv|getEnv|envOr|env)\(\s*['"]PORT['"]\s*,\s*['"]?:?(\d{2,5})\b/,
  // port := os.Getenv("PORT"); if port == "" { port = "8080" }
  /Getenv\("PORT"\)[\s\S]{0,200}?=\s*"?:?(\d{2,5})\b/,
]

/** The port that a program takes when nobody tells it one. */
export function portInSource(source: string): number | undefined {
  for (const pattern of PORT_PATTERNS) {
    const found = asPort(pattern.exec(source)?.[1])
    if (found !== undefined) return found
  }
  return undefined
}

/** `PORT=3080` in a file of variables, a systemd unit's `Environment=PORT=3080` or `PORT=3080 node .` in a script. */
export function portInVariables(text: string): number | undefined {
  return asPort(/(?:^|[\s"'=])PORT=["']?(\d{2,5})\b/m.exec(text)?.[1])
}

function asPort(digits: string | undefined): number | undefined {
  const port = Number(digits)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** Where a systemd unit's service lies: `/opt/pakashop/services/backend`. */
export function unitFolder(unit: string): string | undefined {
  return /^WorkingDirectory=-?(\/\S+)/m.exec(unit)?.[1]
}

/** Paths that services commonly answer readiness on, the more telling first. */
const READY_PATHS = ['/health/ready', '/ready', '/readyz', '/healthz', '/health', '/up', '/status']

/** The readiness path of a source, with what stands before it: `/api/v1/health/ready`. */
export function readyPath(source: string): string | undefined {
  const quoted = new Set([...source.matchAll(/['"`]((?:\/[A-Za-z0-9_-]+){1,5})['"`]/g)].map((match) => match[1] ?? ''))
  for (const ending of READY_PATHS) {
    const found = [...quoted].filter((path) => path.endsWith(ending)).sort((a, b) => a.length - b.length)[0]
    if (found !== undefined) return found
  }
  return undefined
}

export type GuessedStore = 'postgres' | 'redis' | 'meilisearch'

const STORE_PATTERNS: readonly (readonly [GuessedStore, RegExp])[] = [
  [
    'postgres',
    /(?:^|[\s"'/])(?:pg|postgres|@prisma\/client|pgx(?:\/v\d)?|lib\/pq|psycopg2?|psycopg2-binary|asyncpg)(?=$|[\s"'@=<>~[;,])/m,
  ],
  [
    'redis',
    /(?:^|[\s"'/])(?:redis|ioredis|bullmq|bull|go-redis(?:\/v\d+)?|redigo|celery\[redis\])(?=$|[\s"'@=<>~[;,])/m,
  ],
  ['meilisearch', /(?:^|[\s"'/])(?:meilisearch|meilisearch-go|meilisearch-python)(?=$|[\s"'@=<>~[;,])/m],
]

/** Stores that a list of dependencies (package.json, go.mod, requirements.txt, pyproject.toml) speaks of. */
export function storesIn(dependencies: string): GuessedStore[] {
  return STORE_PATTERNS.filter(([, pattern]) => pattern.test(dependencies)).map(([store]) => store)
}

/** `postgresql` of a Prisma schema's datasource. */
export function prismaProvider(schema: string): string | undefined {
  return /datasource\s+\w+\s*\{[^}]*?provider\s*=\s*"([^"]+)"/.exec(schema)?.[1]
}

/** Services that a source asks for by the address Drover gives it: `CONFIG_URL` is config's. */
export function neededBy(source: string, services: readonly string[]): string[] {
  const asked = new Set(
    [...source.matchAll(/\b([A-Z][A-Z0-9_]*)_(?:URL|HOST|ADDR|SERVICE_URL)\b/g)].map((match) => match[1]),
  )
  return services.filter((service) => asked.has(service.replaceAll('-', '_').toUpperCase()))
}

export function looksSingle(service: string): boolean {
  return /schedul|cron|settlement|reconcil|(?:^|-)(?:jobs?|beat|worker)(?:-|$)/.test(service)
}

/** A folder's or package's name as a name of Drover's. */
export function asName(text: string): string {
  const word = text
    .toLowerCase()
    .replace(/^@[^/]*\//, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 40)
  return word === '' || word === 'constructor' ? 'app' : word
}

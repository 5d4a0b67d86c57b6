import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { formatProblem } from '../problem/problem.ts'
import { workingTree } from './detect.ts'
import { branchesOf, environmentsFrom } from './draft-branches.ts'
import { asName, looksSingle, prismaProvider, readPackage } from './draft-guess.ts'
import { read, surveyServices } from './draft-survey.ts'
import type { FoundService } from './draft-survey.ts'
import { renderDraft } from './draft-text.ts'
import type { DraftService } from './draft-text.ts'
import { loadManifest } from './load.ts'

export interface Draft {
  /** A manifest; `loadManifest` accepts it unless a note says what is missing. */
  readonly text: string
  /** What a person has to look at, one sentence each. */
  readonly notes: readonly string[]
}

const LOCK_FILES = [
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'go.work',
  'tsconfig.base.json',
  'tsconfig.json',
  'packages',
  'libs',
  'shared',
  'proto',
]
const COMMON_READY = '/health/ready'

/** Writes a first manifest for a working tree from what lies in it. Nothing is run, nothing is written. */
export async function draftManifest(repositoryFolder: string): Promise<Draft> {
  const root = resolve(repositoryFolder)
  const found = await surveyServices(root)
  const environments = environmentsFrom(await branchesOf(root))
  const ready = commonReady(found)
  const services = withoutClashes(found)
  const notes = [
    ...(environments.isGuess ? [`No branch tells what is live; production takes ${environments.production}.`] : []),
    ...notesOn(services, ready),
    ...(await sharedPrismaNotes(root, found)),
  ]
  const text = renderDraft({
    fleet: asName(readPackage(await read(join(root, 'package.json'))).name || basename(root)),
    shared: found.some(({ path }) => path === '.') ? [] : await sharedFiles(root, found),
    stores: found.flatMap(({ stores, prisma }) =>
      prisma === undefined || !prisma.startsWith('postgres') ? stores : [...stores, 'postgres' as const],
    ),
    environments,
    services,
    ready,
  })
  const { problems } = await loadManifest(text, { file: 'drover.yaml', repository: workingTree(root) })
  return { text, notes: [...notes, ...problems.map((problem) => formatProblem(problem))] }
}

/** A service whose port another one has already loses it, and the draft asks. */
function withoutClashes(found: readonly FoundService[]): DraftService[] {
  const taken = new Set<number>()
  return found.map((service) => {
    const { port, ...rest } = service
    if (port === undefined || !taken.has(port)) {
      if (port !== undefined) taken.add(port)
      return service
    }
    return { ...rest, clash: port }
  })
}

function notesOn(services: readonly DraftService[], ready: string): string[] {
  const withPort = services.filter(({ port }) => port !== undefined)
  return [
    services.length === 0
      ? 'No service was found under services/, apps/, packages/, backend/ or in the root; add them by hand.'
      : '',
    ...services.map(({ name, clash }) =>
      clash === undefined
        ? ''
        : `${name} seems to take port ${clash}, which another service has; give it one of its own.`,
    ),
    note(
      services.filter(({ port, clash }) => port === undefined && clash === undefined),
      (names) => `No port was found for ${names}: taken for a worker that serves nothing.`,
    ),
    note(
      services.filter(({ isAmbiguous }) => isAmbiguous),
      (names) => `More than one language speaks from ${names}: is the one in the draft right?`,
    ),
    note(
      services.filter(({ prisma }) => prisma !== undefined && !prisma.startsWith('postgres')),
      (names) => `The Prisma schema of ${names} is not for PostgreSQL; its migrations are left to you.`,
    ),
    note(
      withPort.filter((service) => service.ready === undefined),
      (names) => `No readiness path was found in the source of ${names}; ${ready} is a guess.`,
    ),
    note(
      services.filter(({ name }) => looksSingle(name)),
      (names) => `Must ${names} not run twice? Then say singleton: true.`,
    ),
  ].filter((line) => line !== '')
}

function note(services: readonly DraftService[], say: (names: string) => string): string {
  return services.length === 0 ? '' : say(services.map(({ name }) => name).join(', '))
}

/** The path that more than half of the services answer. */
function commonReady(found: readonly FoundService[]): string {
  const counts = new Map<string, number>()
  for (const { ready } of found) if (ready !== undefined) counts.set(ready, (counts.get(ready) ?? 0) + 1)
  return [...counts].find(([, count]) => count * 2 > found.length)?.[0] ?? COMMON_READY
}

async function sharedFiles(root: string, found: readonly FoundService[]): Promise<string[]> {
  const names = await readdir(root).catch((): string[] => [])
  // packages/ whose packages are services themselves is no shared code.
  return LOCK_FILES.filter((file) => names.includes(file) && !found.some(({ path }) => path.startsWith(`${file}/`)))
}

async function sharedPrismaNotes(root: string, found: readonly FoundService[]): Promise<string[]> {
  if (found.some(({ path, prisma }) => path === '.' || prisma !== undefined)) return []
  const provider = prismaProvider(await read(join(root, 'prisma/schema.prisma')))
  if (provider === undefined) return []
  return ['The Prisma schema lies in the root: which service is to run `npx prisma migrate deploy`? Give it `migrate`.']
}

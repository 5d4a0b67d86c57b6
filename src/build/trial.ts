import { hash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { localHost } from '../hosts/local/local-host.ts'
import { Refusal } from '../problem/problem.ts'
import type { Artifact } from './artifact.ts'
import type { BuildOrder } from './build-service.ts'
import type { BuildableService, Builder } from './builder.ts'
import { openArtifactStore } from './store.ts'
import type { ArtifactStore } from './store.ts'

/** Files of a commit by path: a text, bytes, a program, or a link. */
export type Files = Readonly<
  Record<string, string | Uint8Array | { readonly program: string } | { readonly link: string }>
>

export interface TrialOrder {
  readonly builder: Builder
  readonly files: Files
  readonly service?: Partial<BuildableService>
  /** More paths besides the service's own. */
  readonly shared?: readonly string[]
}

/** A store in a folder of its own and orders for it, for tests. */
export interface Trial {
  readonly folder: string
  readonly store: ArtifactStore
  /** How often an order's files were checked out. */
  readonly checkouts: { count: number }
  /** Everything that builds printed. */
  readonly lines: string[]
  order(order: TrialOrder): BuildOrder
  end(): Promise<void>
}

export async function startTrial(): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-build-'))
  const store = await openArtifactStore(join(folder, 'store'))
  const checkouts = { count: 0 }
  const lines: string[] = []
  return {
    folder,
    store,
    checkouts,
    lines,
    order({ builder, files, service = {}, shared = [] }) {
      const whole = { name: 'shop', path: 'services/shop', language: builder.language, ...service }
      return {
        service: whole,
        trees: new Map([whole.path, ...shared].map((path) => [path, versionOf(files, path)])),
        builder,
        store,
        host: localHost(),
        onLine: (line) => lines.push(line),
        checkout: async (target) => {
          checkouts.count += 1
          await layFiles(target, files)
        },
      }
    },
    // A builder that a test has killed leaves its commands at work for a moment.
    end: () => rm(folder, { recursive: true, force: true, maxRetries: 10 }),
  }
}

/** What the service prints when it is started as a runtime would start it. */
export async function startedOutput(artifact: Artifact): Promise<string> {
  const place = (value: string): string => value.replaceAll('{artifact}', artifact.folder)
  const env = Object.fromEntries(Object.entries(artifact.environment).map(([name, value]) => [name, place(value)]))
  const cwd = join(artifact.folder, artifact.cwd)
  const outcome = await localHost().run({ program: 'sh', argv: ['-c', `exec ${artifact.start}`], cwd, env })
  return outcome.stdout + outcome.stderr
}

/** The refusal that the work ends with; fails when it does not end with one. */
export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('it was not refused')
}

export async function layFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(path, content)
    else if ('link' in content) await symlink(content.link, path)
    else {
      await writeFile(path, content.program)
      await chmod(path, 0o755)
    }
  }
}

function versionOf(files: Files, path: string): string | undefined {
  const below = Object.entries(files).filter(([name]) => path === '.' || name === path || name.startsWith(`${path}/`))
  return below.length === 0 ? undefined : hash('sha256', JSON.stringify(below))
}

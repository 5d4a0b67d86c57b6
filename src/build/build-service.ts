import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../hosts/host.ts'
import { NETWORK_VARIABLES, passOn } from '../hosts/pass-on.ts'
import type { Artifact, BuildResult } from './artifact.ts'
import { buildShell } from './build-shell.ts'
import type { BuildShell } from './build-shell.ts'
import type { BuildableService, Builder } from './builder.ts'
import { diskFull, isFullDisk } from './disk-full.ts'
import { inputsKey, pathsToCheckOut } from './inputs.ts'
import type { Versions } from './inputs.ts'
import type { ArtifactStore } from './store.ts'

const DEFAULT_TIMEOUT_MS = 15 * 60_000

export interface BuildQuestion {
  readonly service: BuildableService
  /** Versions of the service's path, its shared paths and the fleet's, in the commit that is built. */
  readonly trees: Versions
  readonly builder: Builder
  readonly store: ArtifactStore
  /** Where builds run: this machine. */
  readonly host: Host
}

export interface BuildOrder extends BuildQuestion {
  /** Lays paths of the commit in a folder that exists and is empty. Asked only when something has to be built. */
  readonly checkout: (
    folder: string,
    options: { readonly paths: readonly string[]; readonly signal?: AbortSignal },
  ) => Promise<void>
  readonly signal?: AbortSignal | undefined
  /** Every line that the build prints, secrets of its environment taken out. */
  readonly onLine?: ((line: string) => void) | undefined
  /** For everything from the checkout on; default 15 minutes. */
  readonly timeoutMs?: number
}

/** What a build would be made of, and what it would give, when the same inputs have been built before. */
export interface LookedUp {
  /** Equal for equal inputs: sources, definition, toolchain and builder. */
  readonly inputs: string
  readonly artifact?: Artifact
}

/** Changes nothing. */
export async function lookUp(question: BuildQuestion): Promise<LookedUp> {
  const { key } = await inputsOf(question)
  const artifact = await question.store.find(key)
  return { inputs: key, ...(artifact === undefined ? {} : { artifact }) }
}

/**
 * The artifact of a service: found, or built in a folder of its own and put into the store whole. A Refusal explains a
 * failed build with the first and last lines that it printed; whatever the end, nothing is left half made.
 */
export async function buildService(order: BuildOrder): Promise<BuildResult> {
  const started = performance.now()
  const { store, signal } = order
  const inputs = await inputsOf(order)
  const known = await store.find(inputs.key)
  if (known !== undefined) {
    return { artifact: known, how: 'reused', durationMs: performance.now() - started }
  }
  try {
    return await store.exclusively(inputs.key, signal, async () => {
      // Another process may have built it while this one waited.
      const madeMeanwhile = await store.find(inputs.key)
      const artifact = madeMeanwhile ?? (await build(order, inputs))
      const how = madeMeanwhile === undefined ? 'built' : 'reused'
      return { artifact, how, durationMs: performance.now() - started }
    })
  } catch (error) {
    throw isFullDisk(error) ? diskFull(`service ${order.service.name}`) : error
  }
}

interface KnownInputs {
  readonly key: string
  readonly toolchain: string
}

async function inputsOf({ service, trees, builder, host }: BuildQuestion): Promise<KnownInputs> {
  const toolchain = await builder.toolchain(host)
  return { key: inputsKey({ service, trees, builder, toolchain }), toolchain }
}

async function build(order: BuildOrder, { key, toolchain }: KnownInputs): Promise<Artifact> {
  const { service, store } = order
  const paths = pathsToCheckOut(service, order.trees)
  const scratch = await store.scratch()
  try {
    const tree = join(scratch, 'content')
    await mkdir(tree)
    await order.checkout(tree, { paths, ...(order.signal === undefined ? {} : { signal: order.signal }) })
    const built = await order.builder.build({
      service,
      tree,
      toolchain,
      shell: shellFor(order, await temporary(scratch)),
      layers: store.layers({ host: order.host, signal: order.signal }),
      cache: join(store.folder, 'cache'),
    })
    await rm(join(scratch, 'tmp'), GONE)
    const { name, language, path } = service
    return await store.add({ ...built, service: name, language, cwd: path, inputs: key, scratch })
  } finally {
    await rm(scratch, GONE)
  }
}

/** Tools that were aborted may still put something aside. */
const GONE = { recursive: true, force: true, maxRetries: 5 } as const

/** A folder for what the tools put aside, swept with the build. */
async function temporary(scratch: string): Promise<string> {
  const folder = join(scratch, 'tmp')
  await mkdir(folder)
  return folder
}

function shellFor(order: BuildOrder, temporaryFolder: string): BuildShell {
  return buildShell({
    host: order.host,
    service: order.service.name,
    environment: { ...passOn([...NETWORK_VARIABLES, ...order.builder.passedOn]), TMPDIR: temporaryFolder },
    timeoutMs: order.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    signal: order.signal,
    onLine: order.onLine,
  })
}

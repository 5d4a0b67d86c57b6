import type { Host } from '../hosts/host.ts'
import type { Language, Service } from '../manifest/fleet.ts'
import type { BuildShell } from './build-shell.ts'
import type { Inventory } from '../hosts/inventory/inventory.ts'
import type { Layers } from './layers.ts'
import { programIdentity } from './program-identity.ts'

/** The part of a service that decides what is built; each of it is an input of the artifact. */
export type BuildableService = Pick<Service, 'name' | 'path' | 'language' | 'start' | 'build' | 'migrate'>

export interface BuildContext {
  readonly service: BuildableService
  /**
   * A folder with the service's path and its shared paths, in the layout of the repository. The builder turns it,
   * in place, into the content of the artifact.
   */
  readonly tree: string
  readonly toolchain: string
  readonly shell: BuildShell
  readonly layers: Layers
  /** A folder of this machine that builds may keep caches in; nothing in it is needed. */
  readonly cache: string
}

export interface Built {
  /** Shell command line that starts the service in its own folder. */
  readonly start: string
  /** Non-secret variables; `{artifact}` stands for the artifact's folder on the host. */
  readonly environment: Readonly<Record<string, string>>
  /** Folders that need not be read, by path relative to `tree`: those that came out of a layer. */
  readonly known: ReadonlyMap<string, Inventory>
}

/**
 * How services of a language become artifacts. A driver promises: equal content of `tree`, service and toolchain give
 * equal artifacts as far as the language's own tools do; nothing is written outside `tree`, the layers and the
 * cache; what a person can put right is a Refusal.
 */
export interface Builder {
  readonly language: Language
  /** Raised when the builder would make something else of the same inputs, so that they are built again. */
  readonly version: number
  /** Every build is work for a processor, where others mostly copy what they have: it begins before these. */
  readonly compiles: boolean
  /** Variables of Drover's own environment that the language's tools may see, besides those for the network. */
  readonly passedOn: readonly string[]
  /** What the language's tools are on this host, such as `go1.22.4 linux/amd64`; a Refusal says what is missing and how to get it. */
  toolchain(host: Host): Promise<string>
  build(context: BuildContext): Promise<Built>
}

/**
 * A builder that asks a host for its toolchain once in `forMs`: a release of 19 services asks 19 times within a
 * moment, and a control plane lives longer than a toolchain. Where the toolchain is what one program of this machine says
 * of itself, `program` names it, and it is asked again only when its file has changed.
 */
export function rememberingToolchain(builder: Builder, { forMs = 10_000, program }: Remembering = {}): Builder {
  const answers = new WeakMap<Host, Remembered>()
  const identity = (): string | undefined => (program === undefined ? undefined : programIdentity(program))
  return {
    ...builder,
    toolchain(host) {
      const answer = answers.get(host)
      if (answer !== undefined && (performance.now() < answer.until || isSame(answer.identity, identity()))) {
        return answer.toolchain
      }
      const toolchain = builder.toolchain(host)
      answers.set(host, { until: performance.now() + forMs, identity: identity(), toolchain })
      // What was missing may be installed in the next moment.
      toolchain.catch(() => answers.delete(host))
      return toolchain
    },
  }
}

interface Remembering {
  readonly forMs?: number
  readonly program?: string
}

interface Remembered {
  readonly until: number
  readonly identity: string | undefined
  readonly toolchain: Promise<string>
}

function isSame(before: string | undefined, now: string | undefined): boolean {
  return before !== undefined && before === now
}

import type { Language } from '../manifest/fleet.ts'

/**
 * Immutable output of a build, named by its content: `id` is the first 20 hex digits of the sha256 over every path,
 * mode and byte below `folder`, and over `start` and `environment`. It keeps the repository's layout (the service's folder and
 * its shared paths), so that relative imports between them still hold.
 */
export interface Artifact {
  readonly service: string
  readonly id: string
  readonly language: Language
  /** Absolute, in the store of the control plane. */
  readonly folder: string
  /** Working folder of the service, relative to `folder`. */
  readonly cwd: string
  /** Shell command line that starts the service. */
  readonly start: string
  /** Non-secret variables that the language needs; `{artifact}` stands for the artifact's folder on the host. */
  readonly environment: Readonly<Record<string, string>>
  readonly bytes: number
}

export interface BuildResult {
  readonly artifact: Artifact
  /** `built`: work was done. `reused`: the same inputs had been built before. */
  readonly how: 'built' | 'reused'
  readonly durationMs: number
}

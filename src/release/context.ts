import type { Host } from '../hosts/host.ts'
import type { Environment, HostDefinition, Language } from '../manifest/fleet.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { Router } from '../routers/router.ts'
import type { Secret } from '../secrets/secret.ts'
import type { Builder } from '../build/builder.ts'
import type { ArtifactStore } from '../build/store.ts'
import type { Repository } from '../source/repository.ts'
import type { HostMarks } from './host-marks.ts'
import type { RecordStore } from './record-store.ts'
import type { Permits } from './permit.ts'
import type { EnvironmentRef } from './records.ts'

/** Everything that the story of a release reaches out to. Drivers are looked up by name; only main.ts knows which exist. */
export interface Context {
  readonly records: RecordStore
  readonly marks: HostMarks
  readonly permits: Permits
  readonly secrets: SecretSource
  readonly store: ArtifactStore
  /** Name of this process, for the record of who resumed what. */
  readonly worker: string
  /** Builds that may run at once. */
  readonly buildConcurrency: number
  /** The same host for the same definition; nothing is asked of it here. */
  host(definition: HostDefinition): Host
  /** The IP address at which other hosts reach it; 127.0.0.1 for `local` unless the manifest says one. */
  address(definition: HostDefinition): Promise<string>
  /** The host that builds run on. */
  readonly buildHost: Host
  /** Units and other things that a whole host sees are named after the environment. */
  runtime(name: string, environment: EnvironmentRef): Runtime
  router(name: string, environment: EnvironmentRef): Router
  builder(language: Language): Builder
  repository(fleet: string, url: string): Promise<Repository>
  /** Where an environment that was never released lies on a host. */
  root(fleet: string, environment: Environment, host: HostDefinition): string
  /** A named point within a step at which a test may end the process; does nothing otherwise. */
  reach(point: string): Promise<void>
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Where the values of `{secret: NAME}` come from. */
export interface SecretSource {
  /** The values that exist; a name that is missing is not in the map. */
  read(environment: EnvironmentRef): Promise<ReadonlyMap<string, Secret>>
  /** Where a person puts a missing value, for hints. */
  place(environment: EnvironmentRef): string
}

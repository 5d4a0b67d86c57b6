import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import type { Builder } from './build/builder.ts'
import { commandBuilder } from './build/command/builder.ts'
import { goBuilder } from './build/go/builder.ts'
import { nodeBuilder } from './build/node/builder.ts'
import { pythonBuilder } from './build/python/builder.ts'
import { openArtifactStore } from './build/store.ts'
import { guardedHost } from './hosts/guarded-host.ts'
import type { Host } from './hosts/host.ts'
import { localHost } from './hosts/local/local-host.ts'
import { spawner } from './hosts/local/spawner.ts'
import { hostPool } from './hosts/pool.ts'
import type { HostPool, SshSettings } from './hosts/pool.ts'
import { openDatabase, patiently } from './journal/database.ts'
import type { Database } from './journal/database.ts'
import { dbosEngine } from './journal/dbos/dbos-engine.ts'
import { startEmbeddedPostgres } from './journal/embedded-postgres.ts'
import { NO_FAULTS } from './journal/faults.ts'
import type { FaultPoints } from './journal/faults.ts'
import { migrate } from './journal/migrate.ts'
import type { HostDefinition, Language } from './manifest/fleet.ts'
import { refusal } from './problem/problem.ts'
import { breakGlass, findRoot } from './release/break-glass.ts'
import type { GlassReport } from './release/break-glass.ts'
import type { Context, SecretSource } from './release/context.ts'
import type { ControlPlane } from './release/control-plane.ts'
import { healReturned, startHealing } from './release/heal-returned.ts'
import { hostMarks } from './release/host-marks.ts'
import type { HostRecord } from './release/host-record.ts'
import type { HostOperations } from './release/host-operations.ts'
import { makeControlPlane, startForgotten } from './release/make-control-plane.ts'
import { makeHostOperations } from './release/make-host-operations.ts'
import { permits } from './release/permit.ts'
import { recordStore } from './release/record-store.ts'
import type { RecordStore, Sql } from './release/record-store.ts'
import type { EnvironmentRef } from './release/records.ts'
import { defineRelease } from './release/release.ts'
import { laneOf } from './release/scope.ts'
import { startUpkeep, upkeep } from './release/upkeep.ts'
import { nginxRouter } from './routers/nginx/nginx-router.ts'
import { pm2Runtime } from './runtimes/pm2/pm2-runtime.ts'
import { systemdRuntime } from './runtimes/systemd/systemd-runtime.ts'
import { readEnvFile } from './secrets/env-file.ts'
import { Secret } from './secrets/secret.ts'
import { openRepository } from './source/repository.ts'
import type { QueryResultRow } from 'pg'

export interface ControlPlaneOptions {
  /** Everything that this control plane keeps on its machine lies below. */
  readonly folder: string
  /** Absent: an embedded PostgreSQL below the folder. */
  readonly databaseUrl?: Secret
  /** Programs that are not on the PATH under their usual names. */
  readonly programs?: { readonly pm2?: string; readonly nginx?: string }
  readonly ssh?: SshSettings
  readonly faults?: FaultPoints
  readonly log: (line: string) => void
}

export interface OpenedControlPlane {
  readonly controlPlane: ControlPlane
  readonly hostOperations: HostOperations
  health(): Promise<{ ok: boolean; detail?: string }>
  /** What it does for itself once an hour, now. */
  upkeep(): Promise<void>
  /** Stops working and lets go of everything; a release under way is taken up at the next start. */
  close(): Promise<void>
}

/** Puts the drivers together: the only place that knows which ones exist. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<OpenedControlPlane> {
  await using opening = new AsyncDisposableStack()
  const embedded =
    options.databaseUrl === undefined
      ? await startEmbeddedPostgres({ folder: join(options.folder, 'postgres') })
      : undefined
  if (embedded !== undefined) opening.defer(() => embedded.stop())
  const url = options.databaseUrl ?? embedded!.url
  await migrate(url)
  const database = openDatabase(url)
  opening.defer(() => database.close())
  const unhurried = openDatabase(url, { size: 5, settings: { synchronous_commit: 'off' } })
  opening.defer(() => unhurried.close())

  const worker = workerName(options.folder)
  const engine = dbosEngine({
    databaseUrl: url,
    executor: { id: worker },
    onLog: (entry) => options.log(`engine: ${entry.message}`),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  })
  const local = localHost({ spawner: spawner() })
  opening.defer(() => local.close())
  const sql = patientSql(database)
  const records = recordStore(sql, patientSql(unhurried))
  const isShared = options.databaseUrl !== undefined
  if (isShared && (await hasLocalFleets(records))) await claimMachine(records)
  const hosts = hostPool({
    local: isShared ? guardedHost(local, () => claimMachine(records)) : local,
    run: (command, runOptions) => local.run(command, runOptions),
    folder: options.folder,
    ...(options.ssh === undefined ? {} : { ssh: options.ssh }),
  })
  opening.defer(() => hosts.close())
  const context = await makeContext(options, { sql, records, local, hosts }, { worker, epoch: () => engine.fence() })
  const { release, tidy } = defineRelease(engine, context)
  await engine.launch()
  opening.defer(() => engine.shutdown())
  const bell = eventBell(database)
  opening.defer(() => bell.close())
  const parts = {
    context,
    engine,
    release,
    onEvent: (callback: (release: string | undefined) => void) => bell.subscribe(callback),
  }
  await startForgotten(parts)
  const upkeepParts = { context, engine, tidy }
  opening.defer(startUpkeep(upkeepParts))
  const controlPlane = makeControlPlane(parts)
  const healing = { context, controlPlane }
  opening.defer(startHealing(healing))

  const opened = opening.move()
  return {
    controlPlane,
    hostOperations: makeHostOperations({
      hosts,
      local,
      folder: options.folder,
      ...(options.ssh === undefined ? {} : { ssh: options.ssh }),
    }),
    health: () => health(database),
    upkeep: async () => {
      await upkeep(upkeepParts, Date.now())
      await healReturned(healing, Date.now())
    },
    close: () => opened.disposeAsync(),
  }
}

/** What runs on the host `local` runs on one machine: a Drover elsewhere would take up a release and carry it out on the wrong one. */
async function claimMachine(records: RecordStore): Promise<void> {
  const id = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim() || hostname()
  const [owner, name] = (await records.setting('machine', () => `${id} ${hostname()}`)).split(' ')
  if (owner === id) return
  throw refusal(
    'drivers/other-machine',
    'DATABASE_URL',
    `its fleets on the host local run on the machine ${name}, and this is ${hostname()}`,
    "Run Drover there. Has that machine been replaced by this one, then: delete from drover.settings where name = 'machine'",
  )
}

async function hasLocalFleets(records: RecordStore): Promise<boolean> {
  const live = await Promise.all((await records.environments()).map((environment) => records.live(environment)))
  const blueprints = [...live, ...(await records.open())].map((release) => release?.blueprint)
  return blueprints.some((blueprint) => blueprint?.hosts.some(({ ssh }) => ssh === undefined))
}

interface Parts {
  readonly sql: Sql
  readonly records: RecordStore
  readonly local: Host
  readonly hosts: HostPool
}

interface Identity {
  readonly worker: string
  readonly epoch: () => Promise<number>
}

async function makeContext(
  options: ControlPlaneOptions,
  { sql, records, local, hosts }: Parts,
  { worker, epoch }: Identity,
): Promise<Context> {
  const builders: Record<Language, Builder> = {
    node: nodeBuilder,
    go: goBuilder,
    python: pythonBuilder,
    command: commandBuilder,
  }
  const repositories = new Map<string, ReturnType<typeof openRepository>>()
  return {
    records,
    marks: hostMarks(sql),
    permits: permits(sql, epoch),
    secrets: fileSecrets(join(options.folder, 'secrets')),
    store: await openArtifactStore(join(options.folder, 'store')),
    worker: `${worker} ${process.pid}`,
    buildConcurrency: availableParallelism(),
    host: (definition) => hosts.of(definition),
    address: (definition) => hosts.address(definition),
    buildHost: local,
    ...hostDrivers(options.programs),
    builder: (language) => builders[language],
    repository: (_fleet, url) => {
      const opened =
        repositories.get(url) ?? openRepository({ url, folder: join(options.folder, 'repositories'), host: local })
      repositories.set(url, opened)
      // One that could not be opened is tried anew the next time.
      opened.catch(() => repositories.delete(url))
      return opened
    },
    root: (fleet, environment, host) => {
      const place = host.ssh === undefined ? join(options.folder, 'hosts') : '/srv/drover'
      return environment.root ?? join(place, fleet, environment.name)
    },
    reach: (point) => (options.faults ?? NO_FAULTS).reach(point),
    log: options.log,
  }
}

/** What runs and routes on hosts, by name. */
function hostDrivers(programs: ControlPlaneOptions['programs'] = {}): Pick<Context, 'runtime' | 'router'> {
  const pm2 = pm2Runtime(programs.pm2 === undefined ? {} : { program: programs.pm2 })
  const runtimes = { pm2: () => pm2, systemd: perEnvironment(systemdRuntime) }
  const nginx = programs.nginx === undefined ? {} : { program: programs.nginx }
  const routers = { nginx: perEnvironment((owner) => nginxRouter({ ...nginx, owner })) }
  return {
    runtime: (name, environment) => named(runtimes, 'runtime', name)(environment),
    router: (name, environment) => named(routers, 'router', name)(environment),
  }
}

export interface GlassOptions extends Pick<ControlPlaneOptions, 'folder' | 'programs' | 'ssh'> {
  readonly host: HostDefinition
  readonly environment: string
  readonly fleet?: string
  /** The environment's folder on the host; absent: it is looked for. */
  readonly root?: string
  /** The release to go back to; absent: the one before the live one. */
  readonly to?: number
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** Takes one host back when there is nothing but the host: neither control plane nor database. */
export async function breakGlassOn(options: GlassOptions): Promise<GlassReport> {
  const local = localHost()
  const { folder, ssh, signal, say, environment, fleet } = options
  const hosts = hostPool({
    local,
    run: (command, runOptions) => local.run(command, runOptions),
    folder,
    ...(ssh === undefined ? {} : { ssh }),
  })
  try {
    const host = hosts.of(options.host)
    const root = options.root ?? (await findRoot(host, { environment, ...(fleet === undefined ? {} : { fleet }) }))
    const { runtime, router } = hostDrivers(options.programs)
    const glass = {
      host,
      root,
      runtime: (record: HostRecord) => runtime(record.runtime, record),
      router: (record: HostRecord) => router(record.router, record),
      now: () => Date.now(),
      signal,
      say,
    }
    return await breakGlass(glass, options.to)
  } finally {
    await hosts.close()
    await local.close()
  }
}

/** One driver for each environment: what is under way in it is known to the driver alone. */
function perEnvironment<T>(make: (environment: EnvironmentRef) => T): (environment: EnvironmentRef) => T {
  const made = new Map<string, T>()
  return ({ fleet, environment }) => {
    const lane = laneOf({ fleet, environment })
    const driver = made.get(lane) ?? make({ fleet, environment })
    made.set(lane, driver)
    return driver
  }
}

function named<T>(drivers: Readonly<Record<string, T>>, kind: string, name: string): T {
  const driver = Object.hasOwn(drivers, name) ? drivers[name] : undefined
  if (driver === undefined)
    throw refusal(
      `release/unknown-${kind}`,
      `${kind} ${name}`,
      'is not known to this Drover',
      `It knows ${Object.keys(drivers).join(', ')}.`,
    )
  return driver
}

/** `<folder>/<fleet>/<environment>.env`, of the control plane's own machine. */
function fileSecrets(folder: string): SecretSource {
  const place: SecretSource['place'] = ({ fleet, environment }) => join(folder, fleet, `${environment}.env`)
  return { place, read: (environment) => readEnvFile(place(environment)) }
}

/** Stable for one control plane folder on one machine, and nobody else's. */
function workerName(folder: string): string {
  return `${hostname()}-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`
}

/** A database that is away for a while is waited for: a release under way goes on when it is back. */
function patientSql(database: Database): Sql {
  return {
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
    query: <Row>(text: string, values: readonly unknown[] = []) =>
      patiently(() => database.pool.query<Row & QueryResultRow>(text, [...values])),
  }
}

async function health(database: Database): Promise<{ ok: boolean; detail?: string }> {
  try {
    await database.pool.query('select 1')
    return { ok: true }
  } catch (error) {
    return {
      ok: false,
      detail: `the database does not answer: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}

interface EventBell {
  subscribe(callback: (release: string | undefined) => void): () => void
  close(): void
}

/** Rings for every release event, whichever Drover process wrote it. */
function eventBell(database: Database): EventBell {
  const callbacks = new Set<(release: string | undefined) => void>()
  const stop = new AbortController()
  const listening = database.listen(
    'release_events',
    (release) => callbacks.forEach((callback) => callback(release)),
    stop.signal,
  )
  // Without announcements the events are still read, only later: see followEvents.
  listening.catch(() => undefined)
  return {
    subscribe: (callback) => {
      callbacks.add(callback)
      return () => callbacks.delete(callback)
    },
    close: () => stop.abort(),
  }
}

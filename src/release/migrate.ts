import { runMigration } from '../databases/migrate.ts'
import { Refusal, problem } from '../problem/problem.ts'
import type { Secret } from '../secrets/secret.ts'
import { configureAll } from './wanted.ts'
import { artifactVariables } from './configure.ts'
import { planned } from './stage.ts'
import { blueprintOf, emit, enter, siteOf, sitesOf } from './scope.ts'
import type { Scope } from './scope.ts'

/**
 * Runs one service's migration: once for the whole release, from the artifact that is about to start, before any slot
 * starts. The database lock makes sure that no second one runs beside it, whoever started that.
 */
export async function migrate(scope: Scope, service: string): Promise<void> {
  const release = await enter(scope, 'migrate')
  const blueprint = blueprintOf(release)
  const { plan, set } = planned(release)
  const member = set[service]!
  const migration = member.definition.migrate!
  const store = blueprint.stores.find((candidate) => candidate.name === migration.store)!
  const step = plan.steps.find((candidate) => candidate.kind === 'migrate' && candidate.service === service)!
  const site = siteOf(sitesOf(scope.context, release), step.host!)
  const configurations = await configureAll(scope.context, scope.ref, blueprint)
  const folder = site.layout.artifact(service, member.artifact.id)
  const env: Record<string, string | Secret> = {
    ...Object.fromEntries(configurations.get(service)!.variables),
    ...Object.fromEntries(artifactVariables(member.artifact, folder)),
  }
  const url = env[store.variable]
  if (url === undefined || typeof url === 'string') {
    throw new Refusal([
      problem(
        'release/store-address',
        `store ${store.name}`,
        `${store.variable} must be a secret to be migrated`,
        `Declare it as {secret: ${store.variable}}.`,
      ),
    ])
  }
  await scope.context.permits.current(scope.ref, scope.holder)

  const started = Date.now()
  await emit(scope, { kind: 'service', service, host: site.host.name, state: 'migrating' })
  const result = await runMigration({
    host: site.host,
    store: { name: store.name, kind: store.kind, url },
    command: migration.command,
    cwd: `${folder}/${member.artifact.cwd}`,
    aside: { folder, copy: site.layout.scratch(service) },
    env,
    release: `${scope.ref.fleet}/${scope.ref.environment}/${scope.ref.number}`,
    timeoutMs: migration.timeoutMs,
    lockTimeoutMs: migration.lockTimeoutMs,
    signal: scope.signal,
    onLine: (line) => void emit(scope, { kind: 'output', service, line }).catch(() => undefined),
  })
  const detail =
    result.outcome === 'nothing-to-do'
      ? 'nothing to migrate'
      : `applied ${result.migrations?.join(', ') ?? 'by its own command'}`
  await emit(scope, {
    kind: 'service',
    service,
    host: site.host.name,
    state: 'migrated',
    detail,
    ms: Date.now() - started,
  })
}

import { createHash } from 'node:crypto'
import { act } from '../hosts/act.ts'
import type { Operation } from '../hosts/operation.ts'
import { Refusal, problem, refusal } from '../problem/problem.ts'
import { renderEnvironmentFile } from '../runtimes/environment-file.ts'
import { Secret } from '../secrets/secret.ts'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet } from './records.ts'
import { blueprintOf, fenceAt, sites } from './scope.ts'
import type { Scope, Site } from './scope.ts'
import { configureAll } from './wanted.ts'

/** What is written to each service's file. */
type Contents = ReadonlyMap<string, string | Secret>

/**
 * Lays the files that slots read their variables from. A deploy writes them; what goes back to older values finds them on
 * the hosts, since they are nowhere else.
 */
export async function layEnvironments(
  scope: Scope,
  site: Site,
  release: StoredRelease,
  moving: ReleaseSet,
): Promise<void> {
  const contents =
    release.goal === 'deploy' ? await fresh(scope, release, moving) : await older(scope, site, release, moving)
  const operations: Operation[] = [{ kind: 'folder', path: `${site.root}/env`, mode: 0o700 }]
  for (const [service, content] of contents) {
    const path = site.layout.environment(service, moving[service]!.config)
    operations.push({ kind: 'folder', path: `${site.root}/env/${service}`, mode: 0o700 })
    operations.push({ kind: 'write', path, content, mode: 0o600 })
  }
  if (contents.size > 0) await act(site.host, await fenceAt(scope, site), operations, { signal: scope.signal })
}

async function fresh(scope: Scope, release: StoredRelease, moving: ReleaseSet): Promise<Contents> {
  const configurations = await configureAll(scope.context, scope.ref, blueprintOf(release))
  return new Map(
    Object.entries(moving).map(([service, member]) => {
      const configuration = configurations.get(service)
      if (configuration?.id !== member.config) {
        throw refusal(
          'release/config-moved',
          `service ${service}`,
          'a secret has changed since the plan was made',
          'Release again; the new plan takes the new value.',
        )
      }
      return [service, renderEnvironmentFile(configuration.variables)]
    }),
  )
}

/**
 * What the host lacks, or somebody has edited: a host that was away, or has lost its disk, gets it from Drover or from
 * another host.
 */
async function older(scope: Scope, site: Site, release: StoredRelease, moving: ReleaseSet): Promise<Contents> {
  const known = await knownContents(scope, release, moving)
  const lacking = await lackingOn(site, moving, known)
  if (lacking.length === 0) return new Map()
  const others = sites(scope.context, scope.ref.fleet, blueprintOf(release)).filter(({ host }) => host !== site.host)
  const found = await Promise.all(
    lacking.map(async (service): Promise<[string, string | Secret | undefined]> => {
      return [service, known.get(service) ?? (await copyFrom(others, service, moving[service]!.config))]
    }),
  )
  const lost = found.filter(([, content]) => content === undefined)
  if (lost.length > 0) throw new Refusal(lost.map(([service]) => valuesLost(service, site.host.name)))
  return new Map(found.flatMap(([service, content]) => (content === undefined ? [] : [[service, content] as const])))
}

/** Of services whose values are those of today; nobody but the hosts has older ones. */
async function knownContents(scope: Scope, release: StoredRelease, moving: ReleaseSet): Promise<Contents> {
  const configurations = await configureAll(scope.context, scope.ref, blueprintOf(release)).catch((error: unknown) => {
    if (error instanceof Refusal) return undefined
    throw error
  })
  return new Map(
    Object.entries(moving).flatMap(([service, { config }]) => {
      const now = configurations?.get(service)
      return now?.id === config ? [[service, renderEnvironmentFile(now.variables)] as const] : []
    }),
  )
}

/** Reads a line for each file: its digest, or a dash where nobody knows it, and its path. */
const LACKING = `while read -r sum file; do
  if [ -f "$file" ]; then
    [ "$sum" != - ] || continue
    found=$(sha256sum <"$file") && [ "\${found%% *}" = "$sum" ] && continue
  fi
  printf '%s\\n' "$file"
done`

async function lackingOn(site: Site, moving: ReleaseSet, known: Contents): Promise<string[]> {
  const files = Object.entries(moving).map(
    ([service, { config }]) => [service, site.layout.environment(service, config)] as const,
  )
  if (files.length === 0) return []
  const lines = files.map(([service, file]) => `${digestOf(known.get(service)) ?? '-'} ${file}\n`)
  const { ok, stdout, stderr, failure } = await site.host.run({
    program: 'sh',
    argv: ['-c', LACKING],
    // A digest of few and simple values tells them.
    stdin: new Secret(lines.join('')),
    summary: 'look for values',
  })
  if (!ok)
    throw refusal('release/values', `host ${site.host.name}`, `cannot be looked at (${failure}): ${stderr.trim()}`)
  const absent = new Set(stdout.split('\n'))
  return files.filter(([, file]) => absent.has(file)).map(([service]) => service)
}

/** SHA-256, in hex, as sha256sum tells it of the file. */
export function digestOf(content: string | Secret | undefined): string | undefined {
  if (content === undefined) return undefined
  return createHash('sha256')
    .update(content instanceof Secret ? content.open() : content)
    .digest('hex')
}

async function copyFrom(others: readonly Site[], service: string, config: string): Promise<Secret | undefined> {
  for (const { host, layout } of others) {
    const command = { program: 'cat', argv: ['--', layout.environment(service, config)] }
    const read = await host.run(command).catch(() => undefined)
    if (read?.ok === true && read.stdout !== '') return new Secret(read.stdout)
  }
  return undefined
}

function valuesLost(service: string, host: string): ReturnType<typeof problem> {
  return problem(
    'release/values-lost',
    `service ${service}`,
    `the values that it ran with are neither on ${host} nor on another host`,
    'Deploy instead: that writes the values of today.',
  )
}

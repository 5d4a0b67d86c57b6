import { nearMiss } from '../problem/near-miss.ts'
import { scrubUrlCredentials } from '../secrets/secret.ts'
import { directDependants, findCycles } from './graph.ts'
import { needsOf, storeVariable } from './resolve.ts'
import type { Manifest, ManifestService } from './schema.ts'
import type { Complaints, Path } from './source.ts'

/** What the schema cannot see: names that refer to each other, and keys that make no sense together. */
export function checkServices(manifest: Manifest, complaints: Complaints): void {
  if (complaints.isEmpty('services')) {
    complaints.error('no-services', ['services'], 'names no service', 'Add one, such as `backend: { port: 3080 }`.')
  }
  checkNeeds(manifest, complaints)
  checkStores(manifest, complaints)
  for (const [name, service] of Object.entries(manifest.services)) {
    if (!complaints.says('services', name, 'port')) checkWorker(name, service, complaints)
    if (service.migrate !== undefined) checkMigration(manifest, name, complaints)
    checkStart(manifest, name, complaints)
    checkPasswords(service.variables, ['services', name, 'variables'], complaints)
  }
  checkPasswords(manifest.defaults?.variables, ['defaults', 'variables'], complaints)
}

function checkStart(manifest: Manifest, name: string, complaints: Complaints): void {
  const path = ['services', name]
  const hasStart = complaints.says(...path, 'start') || manifest.defaults?.start !== undefined
  if (manifest.services[name]?.language !== 'command' || hasStart) return
  complaints.error(
    'no-start',
    [...path, 'language'],
    'command says nothing about how to start the service',
    'Give it `start`.',
  )
}

function checkNeeds(manifest: Manifest, complaints: Complaints): void {
  const names = complaints.namesIn('services')
  const known = new Set(names)
  const unknown = new UnknownNames(names, SERVICES, complaints)
  checkList(manifest.defaults?.needs, ['defaults', 'needs'])
  for (const [name, service] of Object.entries(manifest.services)) {
    checkList(service.needs, ['services', name, 'needs'])
    const self = service.needs?.indexOf(name) ?? -1
    if (self !== -1)
      complaints.error('self-need', ['services', name, 'needs', self], 'is the service itself', 'Remove it.')
  }
  const graph = Object.keys(manifest.services).map((name) => ({
    name,
    needs: needsOf(manifest, name).filter((need) => need !== name),
  }))
  for (const cycle of findCycles(graph)) {
    complaints.error(
      'cycle',
      ['services', cycle[0]!, 'needs'],
      `services need each other in a circle: ${cycle.join(' -> ')}`,
      'Which of them can start without the next one?',
    )
  }
  checkSingletons(manifest, graph, complaints)

  function checkList(needs: readonly string[] | undefined, path: Path): void {
    needs?.forEach((need, index) => {
      if (!known.has(need)) unknown.complain('unknown-need', [...path, index], need)
      else if (needs.indexOf(need) < index)
        complaints.error('duplicate', [...path, index], `names ${need} a second time`, 'Remove it.')
    })
  }
}

interface Noun {
  readonly one: string
  readonly many: string
}

export const SERVICES: Noun = { one: 'service', many: 'services' }
const STORES: Noun = { one: 'store', many: 'stores' }

/** Complains about names that nothing has. */
export class UnknownNames {
  readonly #candidates: readonly string[]
  readonly #what: Noun
  readonly #complaints: Complaints
  readonly #meant = new Map<string, string | undefined>()

  constructor(candidates: readonly string[], what: Noun, complaints: Complaints) {
    this.#candidates = candidates.filter((name) => /^[a-z][a-z0-9-]*$/.test(name))
    this.#what = what
    this.#complaints = complaints
  }

  complain(code: string, path: Path, name: string): void {
    const meant = this.#nearMiss(name)
    const { one, many } = this.#what
    const some = this.#candidates.length <= 8 ? `The ${many} are ${this.#candidates.join(', ')}.` : undefined
    const none = this.#candidates.length === 0 ? `There is no ${one} at all.` : undefined
    this.#complaints.error(
      code,
      path,
      `there is no ${one} "${name}"`,
      meant === undefined ? (none ?? some) : `Did you mean ${meant}?`,
    )
  }

  /** Comparing thousands of wrong names with thousands of right ones takes minutes; the first hundred help enough. */
  #nearMiss(name: string): string | undefined {
    if (!this.#meant.has(name) && this.#meant.size < 100) this.#meant.set(name, nearMiss(name, this.#candidates))
    return this.#meant.get(name)
  }
}

function checkSingletons(
  manifest: Manifest,
  graph: readonly { name: string; needs: readonly string[] }[],
  complaints: Complaints,
): void {
  const needing = directDependants(graph)
  for (const [name, service] of Object.entries(manifest.services)) {
    const singleton = 'singleton' in service ? service.singleton : manifest.defaults?.singleton
    const first = needing.get(name)?.[0]
    if (singleton === undefined || first === undefined) continue
    complaints.warning(
      'needed-singleton',
      ['services', name],
      `is a singleton and away for a moment at every switch, but ${first.name} needs it`,
      `Can ${first.name} do without it for that moment? Then leave it out of its needs.`,
    )
  }
}

function checkWorker(name: string, service: ManifestService, complaints: Complaints): void {
  const path = ['services', name]
  if (service.slots !== undefined) refuse('slots', 'has no use')
  if (service.smoke !== undefined && service.smoke.length > 0) refuse('smoke', 'cannot be asked')
  if (service.ready?.path !== undefined) refuse('ready', 'cannot be asked')
  if (service.singleton?.pause !== undefined || service.singleton?.active !== undefined)
    refuse('singleton', 'cannot be asked')

  function refuse(key: string, why: string): void {
    complaints.error('no-port', [...path, key], `${why} without a port`, `Give ${name} a port, or remove ${key}.`)
  }
}

function checkStores(manifest: Manifest, complaints: Complaints): void {
  const owners = new Map<string, string>()
  for (const [name, store] of Object.entries(manifest.stores ?? {})) {
    const variable = storeVariable(store)
    if (variable === undefined) {
      if (!complaints.says('stores', name, 'variable')) {
        complaints.error(
          'no-variable',
          ['stores', name],
          'needs a variable: kind other has none of its own',
          'Give it `variable`.',
        )
      }
      continue
    }
    const owner = owners.get(variable)
    if (owner === undefined) owners.set(variable, name)
    else
      complaints.error(
        'same-variable',
        ['stores', name],
        `has the variable ${variable}, which is ${owner}'s`,
        'Give one of them another `variable`.',
      )
  }
}

function checkMigration(manifest: Manifest, name: string, complaints: Complaints): void {
  const path = ['services', name, 'migrate']
  const wanted = manifest.services[name]?.migrate
  const store = wanted !== undefined && 'store' in wanted ? wanted.store : undefined
  const databases = Object.entries(manifest.stores ?? {}).flatMap(([store, { kind }]) =>
    kind === 'postgres' ? [store] : [],
  )
  const names = complaints.namesIn('stores')
  if (store !== undefined) {
    const kind = manifest.stores?.[store]?.kind
    if (!names.includes(store))
      new UnknownNames(names, STORES, complaints).complain('unknown-store', [...path, 'store'], store)
    else if (kind !== undefined && kind !== 'postgres') {
      complaints.error(
        'no-database',
        [...path, 'store'],
        `${store} is of kind ${kind}; a migration changes a store of kind postgres`,
      )
    }
    return
  }
  // A store with something wrong inside may be the one that is meant.
  if (names.length > Object.keys(manifest.stores ?? {}).length) return
  if (databases.length === 0) {
    complaints.error(
      'no-database',
      path,
      'needs a store of kind postgres, and there is none',
      'Add `database: { kind: postgres }` under `stores`.',
    )
  } else if (databases.length > 1) {
    complaints.error(
      'which-database',
      path,
      `could mean any of the stores ${databases.join(', ')}`,
      `Say which: { command: …, store: ${databases[0]} }.`,
    )
  }
}

/** The file is in a repository that many can read; the address of a store with its password belongs into a secret. */
export function checkPasswords(variables: ManifestService['variables'], path: Path, complaints: Complaints): void {
  for (const [name, value] of Object.entries(variables ?? {})) {
    if (typeof value !== 'string' || scrubUrlCredentials(value) === value) continue
    complaints.warning(
      'password',
      [...path, name],
      'has a password in it that everybody who reads this file can see',
      `Write { secret: ${name} } instead.`,
    )
  }
}

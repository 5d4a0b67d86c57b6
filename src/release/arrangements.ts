import { isDeepStrictEqual } from 'node:util'
import type { StoredRelease } from './record-store.ts'
import type { ReleaseSet } from './records.ts'
import { addressesOf } from './routes.ts'
import type { Arrangement } from './routes.ts'
import { blueprintOf, concerns } from './scope.ts'
import type { Scope } from './scope.ts'

/** How the services of an environment are reached before a release is kept, and after. */
export interface Arrangements {
  readonly live: Arrangement
  readonly wanted: Arrangement
}

/**
 * Hosts that a release leaves out are sent nothing as soon as it lays its routes; those that may not run what is live are
 * sent nothing until a release that concerns them is kept.
 */
export async function arrangementsOf(scope: Scope, release: StoredRelease): Promise<Arrangements> {
  const marked = await markedHosts(scope)
  const shunned = new Set([...marked, ...(release.without ?? [])])
  const blueprint = blueprintOf(release)
  const before = await earlier(scope, release.liveBefore)
  const meanwhile =
    before === undefined || isDeepStrictEqual(namesOf(before), namesOf(release)) ? 'same-hosts' : 'other-hosts'
  const addresses = await addressesOf(scope.context, blueprint, meanwhile)
  return {
    live: {
      set: before?.set ?? {},
      addresses: before === undefined ? addresses : await addressesOf(scope.context, blueprintOf(before), meanwhile),
      shunned,
    },
    wanted: {
      set: release.set ?? {},
      addresses,
      shunned: new Set([...shunned].filter((host) => !concerns(release.order, host))),
    },
  }
}

function namesOf(release: StoredRelease): string[] {
  return blueprintOf(release)
    .hosts.map(({ name }) => name)
    .toSorted()
}

/** How the services of a kept release are reached now. */
export async function arrangementOf(scope: Scope, kept: StoredRelease): Promise<Arrangement> {
  const addresses = await addressesOf(scope.context, blueprintOf(kept))
  return { set: kept.set ?? {}, addresses, shunned: await markedHosts(scope) }
}

async function markedHosts(scope: Scope): Promise<Set<string>> {
  const marks = await scope.context.marks.of(scope.ref)
  return new Set(marks.filter(({ untidy }) => untidy !== true).map(({ host }) => host))
}

/** The members of an earlier release of the environment; none before the first. */
export async function previousSet(scope: Scope, number: number | undefined): Promise<ReleaseSet> {
  return (await earlier(scope, number))?.set ?? {}
}

async function earlier(scope: Scope, number: number | undefined): Promise<StoredRelease | undefined> {
  return number === undefined || number === 0 ? undefined : scope.context.records.find({ ...scope.ref, number })
}

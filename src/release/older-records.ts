import { LOCAL_HOST } from '../manifest/fleet.ts'
import type { Blueprint, ReleaseSet } from './records.ts'

/** Records that were written before there were other hosts than this machine say nothing of hosts. */

type Unplaced<T> = T & { readonly hosts?: readonly string[] }

export function readBlueprint(stored: Blueprint): Blueprint {
  const { environment, hosts }: Pick<Blueprint, 'environment'> & Partial<Blueprint> = stored
  if (hosts !== undefined) return stored
  const root = environment.root === undefined ? {} : { root: environment.root }
  return {
    ...stored,
    environment: { ...environment, strategy: 'together' },
    hosts: [{ ...LOCAL_HOST, ...root }],
    services: stored.services.map(placed),
  }
}

export function readMembers(stored: ReleaseSet): ReleaseSet {
  return Object.fromEntries(
    Object.entries(stored).map(([name, member]) => [name, { ...member, definition: placed(member.definition) }]),
  )
}

function placed<T>(definition: Unplaced<T>): T & { readonly hosts: readonly string[] } {
  return { ...definition, hosts: definition.hosts ?? [LOCAL_HOST.name] }
}

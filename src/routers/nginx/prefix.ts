import { join } from 'node:path'
import { layout } from '../../hosts/layout.ts'
import type { RouteChoice, RouteSet } from '../router.ts'

/**
 * The router's own folder on a host, nginx's `-p`. Everything nginx reads or writes lies in it:
 *
 *     nginx.conf -> shapes/<id>/nginx.conf   what nginx loads when it starts or is told to reload
 *     shapes/<id>/nginx.conf, error.log      one folder per shape; the error log that a process of nginx has open says
 *                                            which shape that process runs with
 *     sets/<name>/<service>.<choice>         an empty file per service, whose name is the choice: see {@link markerOf}
 *     sets/<name>/set.json                   the same as a RouteSet, to be read back
 *     live -> sets/<name>                    the set that is live; replacing this link is the switch
 *     pending -> pending.<n>                 the sets that are reached by header: files <token> and <token>.<marker>
 *     hold.sock                              Drover's waiting room, while there is one
 *     access.log, access.log.1               one line per request, see access-log.ts
 */
export interface Prefix {
  readonly folder: string
  readonly configuration: string
  readonly live: string
  readonly holdSocket: string
}

export function prefixOf(root: string): Prefix {
  const folder = layout(root).router
  return {
    folder,
    configuration: join(folder, 'nginx.conf'),
    live: join(folder, 'live'),
    holdSocket: join(folder, 'hold.sock'),
  }
}

/** Where a request may go: a slot alone, a slot shielded by the other one, or the waiting room. */
export const CHOICES = ['a', 'b', 'ab', 'ba', 'hold'] as const
export type Choice = (typeof CHOICES)[number]

export function choiceName(choice: RouteChoice): Choice {
  if (choice.hold === true) return 'hold'
  if (choice.shielded !== true) return choice.slot
  return choice.slot === 'a' ? 'ab' : 'ba'
}

/** The file that stands for a service's choice in a set's folder, and the upstream of that name: `backend.ab`. */
export function markerOf(service: string, choice: RouteChoice): string {
  return `${checkedService(service)}.${choiceName(choice)}`
}

export function markersOf(set: RouteSet): string[] {
  return Object.entries(set.choices)
    .map(([service, choice]) => markerOf(service, choice))
    .sort()
}

/** What a set's folder holds besides its markers. */
export const SET_FILES = ['set.json', 'markers'] as const

/** The manifest lets no other name through; here it keeps a name from becoming a path or a line of nginx.conf. */
export function checkedService(service: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(service)) {
    throw new TypeError(`not a name of a service: ${JSON.stringify(service)}`)
  }
  return service
}

export function checkedSetName(name: string): string {
  if (!/^[a-z0-9-]+$/.test(name)) {
    throw new TypeError(`the name of a set is [a-z0-9-]+, got ${JSON.stringify(name)}`)
  }
  return name
}

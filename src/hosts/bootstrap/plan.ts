import { missingRights, unfitness } from './fitness.ts'
import { allowedRoots, folders } from './folders.ts'
import { cannot } from './item.ts'
import type { Item, Judge, Work } from './item.ts'
import { journal } from './journal.ts'
import type { HostNeeds } from './needs.ts'
import { nginx } from './nginx.ts'
import { node } from './node-item.ts'
import { packages } from './packages.ts'
import { helper, sudoRule } from './root-access.ts'
import type { HostState } from './state.ts'
import { deployUser, loginKey, servicesUser } from './users.ts'

/** In the order in which they are carried out: what may fail for reasons beyond us comes first. */
const ITEMS: readonly Judge[] = [
  packages,
  deployUser,
  loginKey,
  servicesUser,
  folders,
  allowedRoots,
  helper,
  sudoRule,
  node,
  nginx,
  journal,
]

const PACKAGES_BYTES = 60 * 1024 ** 2
const SPARE_BYTES = 20 * 1024 ** 2

/** What a host is against what it needs: pure. A machine that can be no host has only the reasons for that. */
export function judge(needs: HostNeeds, state: HostState): Work[] {
  const reasons = unfitness(needs, state)
  return reasons.length > 0 ? reasons : ITEMS.map((item) => item(needs, state)).filter(isOfInterest)
}

function isOfInterest({ name, what }: Work): boolean {
  return name !== 'node' || what !== 'not needed'
}

/** What bootstrap would do, and everything that stands in its way. Nothing is in the way of doing nothing. */
export function planBootstrap(needs: HostNeeds, state: HostState): Work[] {
  const works = judge(needs, state)
  if (!works.some(({ sign }) => sign === 'add' || sign === 'change')) return works
  return [...missingRights(needs, state), ...missingSpace(works, needs, state), ...works]
}

function missingSpace(works: readonly Work[], { node }: HostNeeds, state: HostState): Work[] {
  const changed = works.filter(({ sign }) => sign === 'add' || sign === 'change')
  const installs = changed.some(({ name }) => name === 'packages')
  const uploads = changed.some(({ upload }) => upload !== undefined)
  // In the home of who logs in, and in its place.
  const needed = SPARE_BYTES + (installs ? PACKAGES_BYTES : 0) + (uploads ? 2 * (node?.bytes ?? 0) : 0)
  const tight = state.disk.filter(({ freeBytes }) => freeBytes < needed)
  const mounts = new Map(tight.map((place) => [place.mount, place.freeBytes]))
  return [...mounts].map(([mount, free]) =>
    cannot({
      name: 'disk',
      what: `${megabytes(free)} are free on ${mount}, ${megabytes(needed)} are needed`,
      hint: 'Free some space: `apt-get clean`, `journalctl --vacuum-size=100M`.',
    }),
  )
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MB`
}

/** An item without what is done for it. */
export function itemOf({ name, sign, what, why, hint }: Work): Item {
  return { name, sign, what, ...(why === undefined ? {} : { why }), ...(hint === undefined ? {} : { hint }) }
}

export function isReady(items: readonly Item[]): boolean {
  return items.every(({ sign }) => sign === 'same')
}

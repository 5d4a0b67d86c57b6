/**
 * Questions about who needs whom. Linear in services and needs, and without recursion: a chain of thousands is fine.
 * A need that is no service of the list counts as ready.
 */

export interface Needing {
  readonly name: string
  readonly needs: readonly string[]
}

/**
 * Services by distance from those that need nothing: every service stands in the first tier that is after all its
 * needs. Sorted by name within a tier. Throws on a cycle, which a Fleet never has.
 */
export function tiers<S extends Needing>(services: readonly S[]): S[][] {
  const byName = new Map(services.map((service) => [service.name, service]))
  const needing = directDependants(services)
  const waiting = new Map(services.map((service) => [service.name, knownNeeds(service, byName).length]))
  const result: S[][] = []
  let placed = 0
  let tier = services.filter((service) => waiting.get(service.name) === 0)
  while (tier.length > 0) {
    result.push(tier.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
    placed += tier.length
    tier = tier.flatMap((service) =>
      (needing.get(service.name) ?? []).filter((next) => countDown(waiting, next.name) === 0),
    )
  }
  if (placed < services.length)
    throw new Error(`services need each other in a circle: ${findCycle(services)?.join(' -> ')}`)
  return result
}

function countDown(counts: Map<string, number>, name: string): number {
  const left = (counts.get(name) ?? 0) - 1
  counts.set(name, left)
  return left
}

/** Services that need one of the given ones, directly or through others; the given ones only when they need each other. */
export function dependants(services: readonly Needing[], names: Iterable<string>): Set<string> {
  const needing = directDependants(services)
  const found = new Set<string>()
  const open = [...names]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of needing.get(name) ?? []) {
      if (found.has(next.name)) continue
      found.add(next.name)
      open.push(next.name)
    }
  }
  return found
}

/** For each service that somebody needs, who does. */
export function directDependants<S extends Needing>(services: readonly S[]): Map<string, S[]> {
  const result = new Map<string, S[]>()
  for (const service of services) {
    for (const need of new Set(service.needs)) {
      const list = result.get(need)
      if (list === undefined) result.set(need, [service])
      else list.push(service)
    }
  }
  return result
}

/** A cycle as it is read aloud: `a` needs `b` needs `a` is `['a', 'b', 'a']`. */
export function findCycle(services: readonly Needing[]): string[] | undefined {
  return findCycles(services)[0]
}

interface Frame {
  readonly service: Needing
  next: number
  /** The highest place on the trail, up to this one, that belongs to a cycle already found; -1 for none. */
  barrier: number
}

/**
 * Cycles that have no service in common; every knot shows at least one. Depth first over an own stack; an edge back to the
 * trail closes a cycle. Cycles that touch one already found are left out, else a dense knot has more of them than anyone reads.
 */
export function findCycles(services: readonly Needing[]): string[][] {
  const byName = new Map(services.map((service) => [service.name, service]))
  const done = new Set<string>()
  const cycles: string[][] = []
  for (const root of services) {
    const trail: Frame[] = []
    const depth = new Map<string, number>()
    if (!done.has(root.name)) enter(root)
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const need = top.service.needs[top.next++]
      if (need === undefined) leave(top)
      else if (depth.has(need)) close(depth.get(need)!)
      else if (!done.has(need)) enter(byName.get(need))
    }

    function enter(service: Needing | undefined): void {
      if (service === undefined) return
      depth.set(service.name, trail.length)
      trail.push({ service, next: 0, barrier: trail.at(-1)?.barrier ?? -1 })
    }

    function leave(frame: Frame): void {
      trail.pop()
      depth.delete(frame.service.name)
      done.add(frame.service.name)
    }

    function close(start: number): void {
      if (start <= trail.at(-1)!.barrier) return
      const ring = trail.slice(start)
      ring.forEach((frame, index) => {
        frame.barrier = start + index
      })
      cycles.push(asRing(ring.map((frame) => frame.service.name)))
    }
  }
  return cycles
}

/** Starts at the smallest name, so that the same cycle always reads the same. */
function asRing(names: readonly string[]): string[] {
  const smallest = names.reduce((least, name, index) => (name < names[least]! ? index : least), 0)
  const turned = [...names.slice(smallest), ...names.slice(0, smallest)]
  return [...turned, turned[0]!]
}

function knownNeeds(service: Needing, byName: ReadonlyMap<string, unknown>): string[] {
  return [...new Set(service.needs)].filter((need) => byName.has(need))
}

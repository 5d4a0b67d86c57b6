interface Needing {
  readonly name: string
  readonly needs: readonly string[]
}

/** Needs before those that need them; by name where the graph leaves a choice. A cycle cannot get here: the manifest refuses it. */
export function dependencyOrder<Service extends Needing>(wanted: readonly Service[]): Service[] {
  const known = new Map(wanted.map((service) => [service.name, service]))
  const open = new Map<string, number>()
  const neededBy = new Map<string, string[]>()
  for (const service of wanted) {
    const needs = service.needs.filter((need) => known.has(need))
    open.set(service.name, needs.length)
    for (const need of needs) {
      const dependants = neededBy.get(need)
      if (dependants === undefined) neededBy.set(need, [service.name])
      else dependants.push(service.name)
    }
  }
  const ordered: Service[] = []
  let tier = wanted.filter((service) => open.get(service.name) === 0).sort(byName)
  while (tier.length > 0) {
    ordered.push(...tier)
    const next: Service[] = []
    for (const service of tier) {
      for (const dependant of neededBy.get(service.name) ?? []) {
        const left = open.get(dependant)! - 1
        open.set(dependant, left)
        if (left === 0) next.push(known.get(dependant)!)
      }
    }
    tier = next.sort(byName)
  }
  return ordered
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compare(a.name, b.name)
}

/** By code units: the same on every machine, whatever its language. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

import { declaredHosts } from '../manifest/declared-hosts.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import { nearMiss } from '../problem/near-miss.ts'
import { usage } from './cli.ts'
import type { Cli } from './cli.ts'
import { requireFleet } from './manifest-file.ts'

/** The hosts of the working tree's manifest, committed or not. */
export async function hostsDeclared(cli: Cli): Promise<readonly DeclaredHost[]> {
  return declaredHosts((await requireFleet(cli)).fleet)
}

/** Those of the names, each once; a usage error for what is no host. */
export function namedHosts(declared: readonly DeclaredHost[], names: readonly string[]): readonly DeclaredHost[] {
  return [...new Set(names)].map((name) => {
    const found = declared.find((host) => host.name === name)
    if (found === undefined) throw unknownHost(declared, name)
    return found
  })
}

function unknownHost(declared: readonly DeclaredHost[], name: string): Error {
  const known = declared.map((host) => host.name)
  const near = nearMiss(name, known)
  if (known.length === 0) {
    return usage('host', `drover.yaml names no hosts`, '`drover hosts add <name> <destination>` adds one.')
  }
  const hint = near === undefined ? `There are ${known.join(', ')}.` : `Did you mean ${near}?`
  return usage('host', `there is no host ${JSON.stringify(name)} in drover.yaml`, hint)
}

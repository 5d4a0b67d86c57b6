import { LOCAL_HOST } from './fleet.ts'
import type { HostDefinition, Service } from './fleet.ts'

/** What a name or label means: names of hosts, in the order of the file. A word that nothing has is not among them. */
export type HostWords = ReadonlyMap<string, readonly string[]>

export function hostWords(hosts: readonly HostDefinition[]): HostWords {
  const words = new Map<string, string[]>([[LOCAL_HOST.name, [LOCAL_HOST.name]]])
  for (const { name, labels } of hosts) {
    for (const label of labels) {
      const having = words.get(label)
      if (having === undefined) words.set(label, [name])
      else having.push(name)
    }
  }
  for (const { name } of hosts) words.set(name, [name])
  return words
}

/** The hosts that names and labels mean, each once: in the order of the words, those of a label in the order of the file. */
export function hostsNamed(named: readonly string[], words: HostWords): string[] {
  return [...new Set(named.flatMap((word) => words.get(word) ?? []))]
}

/** Of an environment's hosts those that a service runs on, in the environment's order. */
export function placement(
  service: Pick<Service, 'on' | 'port' | 'singleton'>,
  environment: readonly string[],
  words: HostWords,
): string[] {
  const chosen = service.on === undefined ? undefined : new Set(hostsNamed(service.on, words))
  const possible = environment.filter((host) => chosen?.has(host) ?? true)
  return runsOnce(service) ? possible.slice(0, 1) : possible
}

/** What must not run twice, or serves nothing: it has no place beside itself, on the same host or on another. */
export function runsOnce({ port, singleton }: Pick<Service, 'port' | 'singleton'>): boolean {
  return singleton !== undefined || port === undefined
}

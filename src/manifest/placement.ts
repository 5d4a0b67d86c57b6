import { LOCAL_HOST } from './fleet.ts'
import type { HostDefinition, Service } from './fleet.ts'

/** The hosts that names and labels mean, each once: in the order of the words, those of a label in the order of the file. */
export function hostsNamed(words: readonly string[], hosts: readonly HostDefinition[]): string[] {
  return [...new Set(words.flatMap((word) => hostsOf(word, hosts)))]
}

function hostsOf(word: string, hosts: readonly HostDefinition[]): string[] {
  if (word === LOCAL_HOST.name || hosts.some(({ name }) => name === word)) return [word]
  return hosts.filter(({ labels }) => labels.includes(word)).map(({ name }) => name)
}

/** Of an environment's hosts those that a service runs on, in the environment's order. */
export function placement(
  service: Pick<Service, 'on' | 'port' | 'singleton'>,
  environment: readonly string[],
  hosts: readonly HostDefinition[],
): string[] {
  const chosen = service.on === undefined ? undefined : new Set(hostsNamed(service.on, hosts))
  const possible = environment.filter((host) => chosen?.has(host) ?? true)
  return runsOnce(service) ? possible.slice(0, 1) : possible
}

/** What must not run twice, or serves nothing: it has no place beside itself, on the same host or on another. */
export function runsOnce({ port, singleton }: Pick<Service, 'port' | 'singleton'>): boolean {
  return singleton !== undefined || port === undefined
}

import type { DeclaredHost } from '../../manifest/declared-hosts.ts'
import type { Language } from '../../manifest/fleet.ts'
import { DEFAULT_ROOT } from './needs.ts'
import type { HostNeeds } from './needs.ts'
import type { HostState } from './state.ts'

/** What this Drover brings along. */
export interface Supplies extends Pick<HostNeeds, 'helper' | 'node' | 'access'> {
  /** The deploy user. */
  readonly user: string
  /** Version of the Python that builds are made with. */
  readonly pythonVersion?: string
}

/** What a host needs for the services that its fleet puts on it. */
export function needsOf(host: DeclaredHost, supplies: Supplies): HostNeeds {
  const { user, helper, node, pythonVersion, access } = supplies
  return {
    host: host.name,
    user,
    roots: rootsOf(host),
    helper,
    environments: host.environments.map(({ name, ports }) => ({ name: `${host.fleet}-${name}`, ports })),
    ...(node === undefined || !runs(host, 'node') ? {} : { node }),
    ...(runs(host, 'python') ? { python: pythonVersion === undefined ? {} : { version: pythonVersion } } : {}),
    ...(access === undefined ? {} : { access }),
  }
}

/** Roots that do not lie below the default one, each once. */
export function rootsOf({ environments }: DeclaredHost): string[] {
  const roots = environments.flatMap(({ root }) => (root === undefined ? [] : [root]))
  return [...new Set(roots)].filter((root) => !`${root}/`.startsWith(`${DEFAULT_ROOT}/`))
}

/** Whether a service in this language runs on the host. */
export function runs({ environments }: DeclaredHost, language: Language): boolean {
  return environments.some(({ languages }) => languages.includes(language))
}

/** What bootstrap leaves to people, as sentences. */
export function advice(host: DeclaredHost, needs: HostNeeds, state: HostState): string[] {
  const peers = [...new Set(host.environments.flatMap((each) => each.peers))]
  const ports = [...new Set(host.environments.flatMap((each) => Object.values(each.ports)))].sort((a, b) => a - b)
  const among =
    peers.length === 0 || ports.length === 0 ? '' : `, and ${portsText(ports)} for ${peers.join(', ')} alone`
  const firewall = `firewall: open ${host.ssh?.port ?? 22} for Drover and yourselves, 80 and 443 for users${among}`
  return [firewall, ...pythonAdvice(needs, state)]
}

function portsText(ports: readonly number[]): string {
  const [first, last] = [ports[0], ports.at(-1)]
  if (ports.length > 6) return `the fleet's ${ports.length} ports from ${first} to ${last}`
  return ports.join(', ')
}

function pythonAdvice({ python }: HostNeeds, state: HostState): string[] {
  if (python?.version === undefined || state.python === undefined || python.version === state.python) return []
  return [
    `python3 is ${state.python} here and ${python.version} where builds are made: packages with native code will not load`,
  ]
}

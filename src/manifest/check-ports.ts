import { LOCAL_HOST } from './fleet.ts'
import { hostsNamed, hostWords } from './placement.ts'
import { hostsOf, slotPortsOf } from './resolve.ts'
import type { Manifest } from './schema.ts'
import type { Complaints, Path } from './source.ts'

const HIGHEST = 65_535

/** A port that the fleet takes on every host, before the offset of an environment. */
interface Use {
  readonly service: string
  readonly port: number
  readonly role: 'port' | 'slot a' | 'slot b'
  readonly path: Path
}

type Environments = readonly (readonly [name: string, offset: number, hosts: readonly string[]])[]

/** Ports that are taken twice, within an environment or by two on one host, and ports that do not exist. */
export function checkPorts(manifest: Manifest, complaints: Complaints): void {
  const uses = usesOf(manifest, complaints)
  const byPort = takenTwice(uses, complaints)
  const words = hostWords(hostsOf(manifest))
  const environments = Object.entries(manifest.environments)
    .filter(([name, given]) => isAsWritten(['environments', name], given, complaints))
    .map(([name, { ports = 0, hosts = [LOCAL_HOST.name] }]) => [name, ports, hostsNamed(hosts, words)] as const)
  checkHighest(uses, environments, complaints)
  checkNeighbours(byPort, environments, complaints)
}

/** Not so when the offset or the hosts were wrong and have been cut out: then nobody knows where it is to be. */
function isAsWritten(
  path: Path,
  given: { readonly ports?: number; readonly hosts?: readonly string[] },
  complaints: Complaints,
): boolean {
  return (['ports', 'hosts'] as const).every((key) => given[key] !== undefined || !complaints.says(...path, key))
}

function usesOf(manifest: Manifest, complaints: Complaints): Use[] {
  const uses: Use[] = []
  for (const [service, given] of Object.entries(manifest.services)) {
    const slots = slotPortsOf(given)
    if (given.port === undefined || slots === undefined) continue
    const path = ['services', service, 'port']
    uses.push({ service, port: given.port, role: 'port', path })
    if (given.slots === undefined && slots[1] > HIGHEST) {
      const hint = slotsHint(service, given.port - 20_000, new Set())
      complaints.error(
        'port-too-high',
        path,
        `leaves no room for its slots: ${given.port} + 20000 is above ${HIGHEST}`,
        hint,
      )
      continue
    }
    const slotPath = (index: number): Path => (given.slots === undefined ? path : ['services', service, 'slots', index])
    uses.push(
      { service, port: slots[0], role: 'slot a', path: slotPath(0) },
      { service, port: slots[1], role: 'slot b', path: slotPath(1) },
    )
  }
  return uses
}

function takenTwice(uses: readonly Use[], complaints: Complaints): Map<number, Use> {
  const taken = new Set(uses.map(({ port }) => port))
  const byPort = new Map<number, Use>()
  const complained = new Set<string>()
  // Stable ports first: of two services that clash, the one whose slot is in the way is told, not the one it hits.
  for (const use of uses.toSorted((a, b) => Number(a.role !== 'port') - Number(b.role !== 'port'))) {
    const other = byPort.get(use.port)
    const pair = `${other?.service} ${use.service}`
    if (other === undefined) byPort.set(use.port, use)
    if (other === undefined || complained.has(pair)) continue
    complained.add(pair)
    const hint =
      use.role === 'port' ? 'Every service needs a port of its own.' : slotsHint(use.service, use.port, taken)
    complaints.error('port-twice', use.path, `${use.port} is taken twice: ${roleOf(other)} and ${roleOf(use)}`, hint)
  }
  return byPort
}

/** Names two neighbouring ports that no service of the fleet has. */
function slotsHint(service: string, from: number, taken: ReadonlySet<number>): string {
  for (let port = from; port < HIGHEST; port++) {
    if (!taken.has(port) && !taken.has(port + 1))
      return `Give ${service} two free ports, such as slots: [${port}, ${port + 1}].`
  }
  return `Give ${service} two free ports as slots.`
}

function checkHighest(uses: readonly Use[], environments: Environments, complaints: Complaints): void {
  if (uses.length === 0) return
  const highest = uses.reduce((most, use) => (use.port > most.port ? use : most))
  for (const [name, offset] of environments) {
    if (highest.port + offset <= HIGHEST) continue
    complaints.error(
      'port-too-high',
      ['environments', name, 'ports'],
      `moves ${roleOf(highest)} to ${highest.port + offset}, above ${HIGHEST}`,
      `Take ${HIGHEST - highest.port} or less.`,
    )
  }
}

/** Two environments on one host. Both have the same ports but for their offsets, so a clash is a distance between two ports. */
function checkNeighbours(byPort: ReadonlyMap<number, Use>, environments: Environments, complaints: Complaints): void {
  environments.forEach(([name, offset, hosts], index) => {
    for (const [other, otherOffset, otherHosts] of environments.slice(0, index)) {
      const host = hosts.find((candidate) => otherHosts.includes(candidate))
      if (host === undefined) continue
      const clashes = [...byPort.values()].filter((use) => byPort.has(use.port + offset - otherOffset))
      const [first] = clashes
      if (first === undefined) continue
      const hit = byPort.get(first.port + offset - otherOffset)!
      const count = clashes.length === 1 ? 'one port' : `${clashes.length} ports`
      const example = `${first.port + offset} (${roleOf(first)} here and ${roleOf(hit)} there)`
      complaints.error(
        'port-twice',
        ['environments', name, 'ports'],
        `takes ${count} on host ${host} that ${other} takes too, such as ${example}`,
        offsetHint(byPort, name, environments),
      )
    }
  })
}

function roleOf(use: Use): string {
  return `${use.role} of ${use.service}`
}

function offsetHint(byPort: ReadonlyMap<number, Use>, name: string, environments: Environments): string {
  const others = environments.filter(([other]) => other !== name)
  const ports = [...byPort.keys()]
  for (let offset = 1000; offset <= 9000; offset += 1000) {
    const free = others.every(([, otherOffset]) =>
      ports.every((port) => port + offset <= HIGHEST && !byPort.has(port + offset - otherOffset)),
    )
    if (free) return `Give ${name} an offset, such as ports: ${offset}.`
  }
  return 'Give one of them another host.'
}

import { UnknownNames } from './check-services.ts'
import { LOCAL_HOST } from './fleet.ts'
import type { HostDefinition, Service } from './fleet.ts'
import { hostsNamed, hostWords, placement } from './placement.ts'
import type { HostWords } from './placement.ts'
import { hostsOf } from './resolve.ts'
import type { Manifest, ManifestEnvironment } from './schema.ts'
import type { Complaints, Path } from './source.ts'

const LOCAL = LOCAL_HOST.name

/** The machines of the fleet, and who names them: an environment that lies on them, a service that runs on some of them. */
export function checkHosts(manifest: Manifest, complaints: Complaints): void {
  const hosts = hostsOf(manifest)
  const names = complaints.namesIn('hosts')
  for (const host of hosts) {
    checkReach(host, complaints)
    checkLabels(host, [...names, LOCAL], complaints)
  }
  checkTwins(hosts, complaints)
  // A label that was wrong, or stands in a host that was wrong, may be the one that is meant.
  if (names.some((name) => !isAsWritten(manifest, name, complaints))) return
  const words = hostWords(hosts)
  const unknown = new UnknownNames([...words.keys()], { one: 'host or label', many: 'hosts and labels' }, complaints)
  for (const place of placesNamed(manifest)) checkPlace(place, { words, unknown, complaints })
  checkPlacement(manifest, words, complaints)
}

function checkReach({ name, ssh }: HostDefinition, complaints: Complaints): void {
  const path = ['hosts', name]
  if (name === LOCAL && ssh !== undefined) {
    const at = complaints.says(...path, 'ssh') ? [...path, 'ssh'] : path
    const hint = 'Give a machine that ssh reaches another name.'
    complaints.error('local-ssh', at, 'is the machine that Drover runs on, which needs no ssh', hint)
  }
  if (name !== LOCAL && ssh === undefined && !complaints.says(...path, 'ssh')) {
    complaints.error('no-ssh', path, 'does not say how ssh reaches it', 'Give it `ssh`, such as ssh: deploy@10.0.0.1.')
  }
}

function checkLabels({ name, labels }: HostDefinition, names: readonly string[], complaints: Complaints): void {
  labels.forEach((label, index) => {
    if (names.includes(label)) {
      const path = ['hosts', name, 'labels', index]
      complaints.error('label-is-host', path, `${label} is the name of a host`, 'Choose another word for the label.')
    }
  })
}

/** One machine under two names would run the slots of both on the same ports. */
function checkTwins(hosts: readonly HostDefinition[], complaints: Complaints): void {
  const owners = new Map<string, string>()
  for (const { name, ssh } of hosts) {
    if (ssh === undefined) continue
    const machine = `${ssh.destination.replace(/^.*@/, '').toLowerCase()} ${ssh.port ?? 22}`
    const owner = owners.get(machine)
    if (owner === undefined) owners.set(machine, name)
    else {
      const hint = 'Keep one of the two, with the labels of both.'
      complaints.error('same-host', ['hosts', name], `is the machine ${ssh.destination}, as ${owner} is`, hint)
    }
  }
}

/** Not so when something in it was wrong and has been cut out. */
function isAsWritten({ hosts = {} }: Manifest, name: string, complaints: Complaints): boolean {
  const given = Object.hasOwn(hosts, name) ? hosts[name] : undefined
  return given !== undefined && (given.labels !== undefined || !complaints.says('hosts', name, 'labels'))
}

/** Where names and labels stand. */
interface Place {
  readonly path: Path
  readonly named: readonly string[]
}

function placesNamed(manifest: Manifest): Place[] {
  return [
    { path: ['defaults', 'on'], named: manifest.defaults?.on ?? [] },
    ...Object.entries(manifest.services).map(([name, { on = [] }]) => ({ path: ['services', name, 'on'], named: on })),
    ...Object.entries(manifest.environments).map(([name, { hosts = [] }]) => ({
      path: ['environments', name, 'hosts'],
      named: hosts,
    })),
  ]
}

interface Known {
  readonly words: HostWords
  readonly unknown: UnknownNames
  readonly complaints: Complaints
}

function checkPlace({ path, named }: Place, { words, unknown, complaints }: Known): void {
  named.forEach((word, index) => {
    if (!words.has(word)) unknown.complain('unknown-host', [...path, index], word)
    else if (named.indexOf(word) < index)
      complaints.error('duplicate', [...path, index], `names ${word} a second time`, 'Remove it.')
  })
}

function checkPlacement(manifest: Manifest, words: HostWords, complaints: Complaints): void {
  const services = Object.keys(manifest.services)
    .map((name) => ({ name, ...placementKeys(manifest, name) }))
    .filter(({ on = [] }) => on.every((word) => words.has(word)))
  for (const [name, given] of Object.entries(manifest.environments)) {
    const hosts = knownHosts(name, given, { words, complaints })
    if (hosts === undefined) continue
    const far = services.filter((service) => {
      const places = placement(service, hosts, words)
      if (places.length === 0) nowhere(service, { name, hosts }, complaints)
      return service.port !== undefined && isFarFromSome(places, hosts)
    })
    if (far[0] !== undefined) checkAddress(manifest, name, { far: far[0].name, complaints })
  }
}

function placementKeys(manifest: Manifest, name: string): Pick<Service, 'on' | 'port' | 'singleton'> {
  const service = manifest.services[name] ?? {}
  const on = service.on ?? manifest.defaults?.on
  const singleton = 'singleton' in service ? service.singleton : manifest.defaults?.singleton
  return {
    ...(on === undefined ? {} : { on }),
    ...(service.port === undefined ? {} : { port: service.port }),
    ...(singleton === undefined ? {} : { singleton }),
  }
}

/** Nobody but a person knows what the other hosts are to call the machine that Drover runs on. */
function checkAddress(
  { hosts = {} }: Manifest,
  environment: string,
  { far, complaints }: { readonly far: string; readonly complaints: Complaints },
): void {
  const local = Object.hasOwn(hosts, LOCAL) ? hosts[LOCAL] : undefined
  if (local?.address !== undefined || complaints.says('hosts', LOCAL, 'address')) return
  complaints.error(
    'no-address',
    ['environments', environment, 'hosts'],
    `has hosts that must reach ${far} on local, and local has no address`,
    'Write `local: { address: 10.0.0.5 }` under `hosts`, with the address of the machine that Drover runs on.',
  )
}

/** undefined: some of them are not known, or were wrong and have been cut out. */
function knownHosts(
  name: string,
  { hosts: named }: ManifestEnvironment,
  { words, complaints }: Pick<Known, 'words' | 'complaints'>,
): readonly string[] | undefined {
  if (named === undefined) return complaints.says('environments', name, 'hosts') ? undefined : [LOCAL]
  return named.every((word) => words.has(word)) ? hostsNamed(named, words) : undefined
}

function nowhere(
  { name, on = [] }: { readonly name: string; readonly on?: readonly string[] },
  environment: { readonly name: string; readonly hosts: readonly string[] },
  complaints: Complaints,
): void {
  const path = complaints.says('services', name, 'on') ? ['services', name, 'on'] : ['services', name]
  const listed = environment.hosts.length <= 8 ? ` (${environment.hosts.join(', ')})` : ''
  const hint = environment.hosts.every((host) => host === LOCAL)
    ? `Write \`local: { labels: [${on[0]}] }\` under \`hosts\`, or add local to the list.`
    : `Give one of them the label ${on[0]}, or add ${environment.hosts[0]} to the list.`
  complaints.error('nowhere', path, `is on no host of ${environment.name}${listed}`, hint)
}

/** Runs on this machine, but not on every host: those others must reach it here. */
function isFarFromSome(places: readonly string[], hosts: readonly string[]): boolean {
  return places.includes(LOCAL) && hosts.some((host) => !places.includes(host))
}

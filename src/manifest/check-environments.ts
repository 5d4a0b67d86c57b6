import { checkPasswords, SERVICES, UnknownNames } from './check-services.ts'
import { LOCAL_HOST } from './fleet.ts'
import { hostsNamed, hostWords } from './placement.ts'
import { hostsOf } from './resolve.ts'
import type { Manifest } from './schema.ts'
import type { Complaints } from './source.ts'

/** Every pair of environments is compared, so there has to be an end to them. */
const MOST_ENVIRONMENTS = 100

/** false: too many for the checks that compare them with each other. */
export function checkEnvironments(manifest: Manifest, complaints: Complaints): boolean {
  const names = Object.keys(manifest.environments)
  if (complaints.isEmpty('environments')) {
    complaints.error(
      'no-environments',
      ['environments'],
      'names no environment',
      'Add one, such as `production: { branch: main }`.',
    )
  }
  if (names.length > MOST_ENVIRONMENTS) {
    complaints.error(
      'too-many-environments',
      ['environments'],
      `has ${names.length} environments; the most is ${MOST_ENVIRONMENTS}`,
    )
    return false
  }
  const services = complaints.namesIn('services')
  const known = new Set(services)
  const unknown = new UnknownNames(services, SERVICES, complaints)
  for (const [name, environment] of Object.entries(manifest.environments)) {
    const path = ['environments', name]
    checkPasswords(environment.variables, [...path, 'variables'], complaints)
    for (const [service, { variables }] of Object.entries(environment.services ?? {})) {
      if (!known.has(service)) unknown.complain('unknown-service', [...path, 'services', service], service)
      checkPasswords(variables, [...path, 'services', service, 'variables'], complaints)
    }
  }
  checkRoots(manifest, complaints)
  return true
}

/** Two environments in one folder of one host would fight over its slots. */
function checkRoots(manifest: Manifest, complaints: Complaints): void {
  const owners = new Map<string, string>()
  const words = hostWords(hostsOf(manifest))
  for (const [name, { root, hosts = [LOCAL_HOST.name] }] of Object.entries(manifest.environments)) {
    if (root === undefined) continue
    for (const host of hostsNamed(hosts, words)) {
      const owner = owners.get(`${host} ${root}`)
      if (owner !== undefined && owner !== name)
        complaints.error(
          'same-root',
          ['environments', name, 'root'],
          `is the folder of ${owner} on host ${host} too`,
          'Give each environment a folder of its own.',
        )
      owners.set(`${host} ${root}`, name)
    }
  }
}

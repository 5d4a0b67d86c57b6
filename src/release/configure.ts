import { createHash, createHmac } from 'node:crypto'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { Artifact } from '../build/artifact.ts'
import type { Service, Store, Value } from '../manifest/fleet.ts'
import type { SlotVariables } from '../runtimes/runtime.ts'
import type { Secret } from '../secrets/secret.ts'
import type { EnvironmentRef } from './records.ts'

/** What a service is started with, apart from what differs between its slots. */
export interface Configuration {
  /** Content name: equal when the service would run the same way. Made without the artifact, so that one can be planned before the other is built. */
  readonly id: string
  readonly variables: SlotVariables
}

export interface ConfigureInput extends EnvironmentRef {
  readonly service: Service
  /** Every service of the environment, for the addresses of those it needs. */
  readonly services: ReadonlyMap<string, Service>
  readonly stores: readonly Store[]
  readonly secrets: ReadonlyMap<string, Secret>
  /** Where a missing secret is to be put, for the hint. */
  readonly secretsPlace: string
  /** Fingerprints secrets, so that a content name never lets a value be guessed. */
  readonly key: string
}

/**
 * The variables of a service: those of its stores, the stable addresses of the services it needs (`CONFIG_URL`), what
 * the manifest says, and Drover's own names. Missing secrets are problems, all of them.
 */
export function configure(input: ConfigureInput): { configuration: Configuration; problems: Problem[] } {
  const problems: Problem[] = []
  const values = new Map<string, string | Secret>()
  for (const [name, value] of declared(input)) {
    if (typeof value === 'string') {
      values.set(name, value)
      continue
    }
    const secret = input.secrets.get(value.secret)
    if (secret !== undefined) values.set(name, secret)
    else if (!isOptional(input.stores, name)) problems.push(missing(input, name, value.secret))
  }
  const variables = [...values].sort(([a], [b]) => (a < b ? -1 : 1))
  return { configuration: { id: contentName(input, variables), variables }, problems }
}

function declared(input: ConfigureInput): Map<string, Value> {
  const values = new Map<string, Value>()
  for (const store of input.stores) values.set(store.variable, { secret: store.variable })
  for (const need of input.service.needs) {
    const port = input.services.get(need)?.port
    if (port !== undefined) values.set(`${need.replaceAll('-', '_').toUpperCase()}_URL`, `http://127.0.0.1:${port}`)
  }
  if (input.service.language === 'node') values.set('NODE_ENV', 'production')
  for (const [name, value] of Object.entries(input.service.variables)) values.set(name, value)
  values.set('DROVER_FLEET', input.fleet)
  values.set('DROVER_ENVIRONMENT', input.environment)
  values.set('DROVER_SERVICE', input.service.name)
  return values
}

function isOptional(stores: readonly Store[], variable: string): boolean {
  return stores.some((store) => store.variable === variable && store.optional)
}

function missing(input: ConfigureInput, variable: string, secret: string): Problem {
  const where = `${input.fleet}/${input.environment} service ${input.service.name}`
  const name = variable === secret ? variable : `${variable} (secret ${secret})`
  return problem(
    'release/missing-secret',
    where,
    `${name} has no value`,
    `Put a line ${secret}=… into ${input.secretsPlace}.`,
  )
}

function contentName(input: ConfigureInput, variables: SlotVariables): string {
  const { port, slotPorts, start, drainMs, limits } = input.service
  const values = variables.map(([name, value]) => [
    name,
    typeof value === 'string' ? value : { hmac: fingerprint(input.key, value) },
  ])
  const text = JSON.stringify({ port, slotPorts, start, drainMs, limits, values })
  return createHash('sha256').update(text).digest('hex').slice(0, 20)
}

function fingerprint(key: string, secret: Secret): string {
  return createHmac('sha256', key).update(secret.open()).digest('hex')
}

/** Variables that an artifact's language needs, with the artifact's folder on the host filled in. */
export function artifactVariables(artifact: Pick<Artifact, 'environment'>, folder: string): SlotVariables {
  return Object.entries(artifact.environment).map(([name, value]) => [name, value.replaceAll('{artifact}', folder)])
}

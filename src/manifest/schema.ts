import { z } from 'zod'
import { migrateKeys, readyKeys, serviceKeys, sharedServiceKeys, variables } from './service-schema.ts'
import {
  address,
  branch,
  duration,
  expecting,
  flag,
  hostFolder,
  listOf,
  mapping,
  name,
  oneOf,
  port,
  repositoryPath,
  share,
  sshDestination,
  variableName,
  whole,
} from './words.ts'

declare module 'zod' {
  interface GlobalMeta {
    /**
     * What holds when the key is left out, as it would stand in the file. Not named `default`: zod drops a `default`
     * from the JSON Schema of a value that it transforms, as it does every duration.
     */
    fallback?: unknown
  }
}

/**
 * The one definition of `drover.yaml`. Validation, built-in defaults (the `fallback` of each key), `drover docs` and the
 * JSON Schema for editors all come from here. It says what stands in the file; `resolve.ts` makes a Fleet of it.
 */

const storeKeys = {
  kind: oneOf(['postgres', 'redis', 'meilisearch', 'other']).meta({
    description: 'What it is. Migrations and backups know postgres.',
  }),
  variable: variableName.exactOptional().meta({
    description:
      'The variable that carries its address to the services. Left out: DATABASE_URL, REDIS_URL or MEILI_URL by kind; kind other must say it.',
  }),
  optional: flag('true or false')
    .exactOptional()
    .meta({ description: 'An optional store may be away.', fallback: false }),
}

const verifyKeys = {
  watch: duration({ least: '0s' }).exactOptional().meta({
    description:
      'How long real traffic is watched after the switch. 0s keeps the release as soon as the smoke paths answer.',
    fallback: '30s',
  }),
  errors: share.exactOptional().meta({
    description: 'Largest accepted rise of the share of failed requests against the time before the switch.',
    fallback: '1%',
  }),
  requests: whole('a number', 1, 1_000_000_000).exactOptional().meta({
    description: 'A service with fewer requests than this in the watch is judged by its smoke paths alone.',
    fallback: 20,
  }),
}

const hostKeys = {
  ssh: sshDestination.exactOptional().meta({
    description: 'As in an argument of ssh: user@host, or an alias of your ssh configuration. local has none.',
  }),
  port: port
    .exactOptional()
    .meta({ description: 'Port of the ssh server. Left out: what your ssh configuration says.' }),
  address: address.exactOptional().meta({
    description: 'Where the other hosts reach it. Left out: where ssh connects to.',
  }),
  labels: listOf(name, 'a list of labels').exactOptional().meta({
    description: 'Words by which environments and services name it together with others.',
    fallback: [],
  }),
}

type GivenHost = z.output<ReturnType<typeof mapping<typeof hostKeys>>>

const builtInBatch = 1

const rollingKeys = {
  batch: whole('a number of hosts', 1, 1000)
    .exactOptional()
    .meta({ description: 'How many hosts switch at a time.', fallback: builtInBatch }),
}

const strategy = z.union(
  [
    mapping({
      rolling: mapping(rollingKeys)
        .transform(({ batch = builtInBatch }) => ({ batch }))
        .meta({ description: 'Batch by batch.' }),
    }),
    oneOf(['together', 'rolling']).transform((word) =>
      word === 'together' ? ('together' as const) : { rolling: { batch: builtInBatch } },
    ),
  ],
  { error: expecting('together, rolling or a mapping') },
)

const environmentKeys = {
  branch: branch.meta({ description: 'The git branch that is released here.' }),
  hosts: listOf(name, 'a list of hosts or labels')
    .min(1, { error: 'should name at least one host' })
    .exactOptional()
    .meta({
      description: 'The machines, by name or label. local is the one that Drover runs on.',
      fallback: ['local'],
    }),
  strategy: strategy.exactOptional().meta({
    description:
      'How a release reaches the hosts. together: all of them switch at once. rolling: batch by batch, each verified before the next; meanwhile both versions answer.',
    fallback: 'together',
  }),
  ports: whole('a number', 0, 65535).exactOptional().meta({
    description: 'Added to every port of the fleet, so that two environments fit on one machine.',
    fallback: 0,
  }),
  verify: mapping(verifyKeys)
    .exactOptional()
    .meta({ description: 'What a release must show after the switch to be kept.', fallback: {} }),
  warm: duration({ least: '0s' }).exactOptional().meta({
    description: 'How long the old slots keep running after a release is kept; going back within it needs no start.',
    fallback: '5m',
  }),
  keep: whole('a number', 1, 100)
    .exactOptional()
    .meta({ description: 'How many kept releases stay on the hosts with their artifacts.', fallback: 5 }),
  variables: variables.exactOptional().meta({
    description: 'Environment variables of all services here. They win over those of a service.',
    fallback: {},
  }),
  services: z
    .record(
      name,
      mapping({
        variables: variables
          .exactOptional()
          .meta({ description: 'Variables of this service here. They win over all others.', fallback: {} }),
      }),
      {
        error: expecting('a mapping of services'),
      },
    )
    .exactOptional()
    .meta({ description: 'What is different for single services here, by name.', fallback: {} }),
  root: hostFolder.exactOptional().meta({
    description:
      'Folder on the hosts for artifacts, slots and records. Left out: /srv/drover/<fleet>/<environment>, and on local a folder in the home of Drover.',
  }),
  runtime: name
    .exactOptional()
    .meta({ description: 'How slots run on the hosts. Left out: pm2 where the only host is local, else systemd.' }),
  router: name.exactOptional().meta({ description: 'How traffic reaches the slots.', fallback: 'nginx' }),
}

const entry = 'Write {} when there is nothing to say about it.'

export const manifestSchema = mapping({
  fleet: name.meta({ description: 'Name of the fleet. It stands in the names of units and folders on the hosts.' }),
  shared: listOf(repositoryPath, 'a list of paths').exactOptional().meta({
    description: 'Paths (folders or files, relative to the repository) whose change rebuilds every service.',
    fallback: [],
  }),
  hosts: z
    .record(
      name,
      z.union([sshDestination.transform((ssh): GivenHost => ({ ssh })), mapping(hostKeys)], {
        error: expecting(
          'a destination for ssh, or a mapping',
          'Write user@host, or an alias of your ssh configuration.',
        ),
      }),
      { error: expecting('a mapping of hosts') },
    )
    .exactOptional()
    .meta({
      description:
        'The machines that environments name, by name: how ssh reaches each, or a mapping. local, the machine that Drover runs on, needs no entry.',
      fallback: {},
    }),
  stores: z
    .record(name, mapping(storeKeys, entry), { error: expecting('a mapping of stores') })
    .exactOptional()
    .meta({
      description:
        'Databases, caches and search engines that the services use and Drover does not run, by name. Every service gets the variable of each; where nothing gives it a value, it comes from the secret of the same name.',
      fallback: {},
    }),
  defaults: mapping(sharedServiceKeys).exactOptional().meta({
    description: "What holds for every service that does not say otherwise. A service's own value wins.",
    fallback: {},
  }),
  environments: z
    .record(name, mapping(environmentKeys, entry), { error: expecting('a mapping of environments') })
    .meta({ description: 'Where the fleet lives, by name.' }),
  services: z
    .record(name, mapping(serviceKeys, entry), { error: expecting('a mapping of services') })
    .meta({ description: 'What the fleet is made of, by name.' }),
})

export type Manifest = z.output<typeof manifestSchema>
export type ManifestService = Manifest['services'][string]
export type ManifestHosts = NonNullable<Manifest['hosts']>
export type ManifestEnvironment = Manifest['environments'][string]

/** What holds where the manifest says nothing: the `fallback` of the keys above, in the units of a Fleet. */
export const builtIn = {
  service: z
    .object(sharedServiceKeys)
    .pick({ needs: true, drain: true, shared: true })
    .required()
    .parse(fallbacks(sharedServiceKeys)),
  ready: z.object(readyKeys).required().parse(fallbacks(readyKeys)),
  migrate: z.object(migrateKeys).pick({ timeout: true, lock_timeout: true }).required().parse(fallbacks(migrateKeys)),
  store: z.object(storeKeys).pick({ optional: true }).required().parse(fallbacks(storeKeys)),
  verify: z.object(verifyKeys).required().parse(fallbacks(verifyKeys)),
  environment: z
    .object(environmentKeys)
    .pick({ hosts: true, strategy: true, ports: true, warm: true, keep: true, router: true })
    .required()
    .parse(fallbacks(environmentKeys)),
} as const

function fallbacks(keys: Readonly<Record<string, z.ZodType>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(keys).map(([key, schema]) => [key, schema.meta()?.fallback]))
}

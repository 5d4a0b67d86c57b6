import { z } from 'zod'
import {
  commandLine,
  duration,
  expecting,
  flag,
  listOf,
  mapping,
  memory,
  name,
  oneOf,
  port,
  processors,
  repositoryPath,
  urlPath,
  value,
  variableName,
} from './words.ts'

/** What `drover.yaml` can say of a service, and of all of them under `defaults`. */

export const variables = z.record(variableName, value, {
  error: expecting('a mapping of variables', 'Write NAME: value, one per line.'),
})

export const readyKeys = {
  path: urlPath.exactOptional().meta({
    description: "HTTP path on the service's own port that answers 2xx when the service can work.",
    fallback: '/health/ready',
  }),
  timeout: duration({ least: '1ms' }).exactOptional().meta({
    description: 'Longest time from the start of the process to the first 2xx.',
    fallback: '60s',
  }),
  steady: duration({ least: '0s' }).exactOptional().meta({
    description: 'A service without a port is ready when it has run this long without exiting.',
    fallback: '2s',
  }),
}

export const migrateKeys = {
  command: commandLine.meta({
    description: "Command line, run in the service's folder of its artifact with its variables.",
  }),
  store: name
    .exactOptional()
    .meta({ description: 'The store that it changes. Left out: the only store of kind postgres.' }),
  timeout: duration({ least: '1ms' })
    .exactOptional()
    .meta({ description: 'Longest time that the command may take.', fallback: '10m' }),
  lock_timeout: duration({ least: '1ms' }).exactOptional().meta({
    description:
      'Longest wait for a lock in the database before the migration gives up, so that it never holds up live traffic.',
    fallback: '5s',
  }),
}

const singletonKeys = {
  pause: urlPath.exactOptional().meta({ description: 'POST to this path stops the intake of new work.' }),
  active: urlPath.exactOptional().meta({
    description: 'GET answers {"active": n}; the old slot is stopped once n is 0 or the drain time is over.',
  }),
}

export const limitsKeys = {
  memory: memory
    .exactOptional()
    .meta({ description: 'Most memory of a slot, such as 512M; one that takes more is ended and started again.' }),
  cpu: processors
    .exactOptional()
    .meta({ description: 'Most processor time of a slot: 50% is half of one processor, 200% is two.' }),
}

/** Keys of a service that `defaults` may give too. */
export const sharedServiceKeys = {
  needs: listOf(name, 'a list of services').exactOptional().meta({
    description:
      'Services that must be ready before this one starts. In defaults: a service that is in the list itself takes only those before it.',
    fallback: [],
  }),
  ready: z
    .union([urlPath.transform((path) => ({ path })), mapping(readyKeys)], {
      error: expecting('a path such as /health/ready, or a mapping'),
    })
    .exactOptional()
    .meta({
      description: 'How the service shows that it can work: a path, or a mapping with path, timeout and steady.',
      fallback: '/health/ready',
    }),
  smoke: listOf(urlPath, 'a list of paths').exactOptional().meta({
    description: 'Paths that must answer 2xx or 3xx after the switch. Left out: the readiness path.',
  }),
  drain: duration({ least: '0s' }).exactOptional().meta({
    description: 'Longest time that a stopping slot gets to finish its work.',
    fallback: '10s',
  }),
  start: commandLine
    .exactOptional()
    .meta({ description: "Command line that starts the service. Left out: the language's convention." }),
  build: commandLine
    .exactOptional()
    .meta({ description: "Command line that builds the service. Left out: the language's convention." }),
  singleton: z
    .union(
      [
        flag('true or false').transform((is): { pause?: string; active?: string } | undefined => (is ? {} : undefined)),
        mapping(singletonKeys),
      ],
      {
        error: expecting('true, false or a mapping'),
      },
    )
    .exactOptional()
    .meta({
      description:
        'What must not run twice: stopped in the old version before it starts in the new one. true, or a mapping with pause and active.',
      fallback: false,
    }),
  on: listOf(name, 'a list of hosts or labels')
    .min(1, { error: 'should name at least one host or label' })
    .exactOptional()
    .meta({
      description:
        "Names or labels of the hosts that it runs on. Left out: every host of an environment. A singleton, and a service without a port, runs on the first of them alone, in the order of the environment's hosts.",
    }),
  limits: mapping(limitsKeys).exactOptional().meta({
    description: 'What a slot may use at most, where the runtime can hold it to that, as systemd can.',
    fallback: {},
  }),
  shared: listOf(repositoryPath, 'a list of paths').exactOptional().meta({
    description: 'More paths, relative to the repository, whose change rebuilds the service.',
    fallback: [],
  }),
  variables: variables.exactOptional().meta({
    description:
      'Environment variables. Those of an environment win; defaults, service and environment are merged name by name.',
    fallback: {},
  }),
}

export const serviceKeys = {
  port: port.exactOptional().meta({
    description: "The service's stable port, which the router holds. Left out: a worker that serves nothing.",
  }),
  path: repositoryPath
    .exactOptional()
    .meta({ description: "The service's folder, relative to the repository. Left out: services/<name>." }),
  language: oneOf(['node', 'go', 'python', 'command']).exactOptional().meta({
    description:
      'Left out: found by package.json, go.mod, requirements.txt or pyproject.toml. A service in language command gives start itself.',
  }),
  migrate: z
    .union([commandLine.transform((command) => ({ command })), mapping(migrateKeys)], {
      error: expecting('a command, or a mapping'),
    })
    .exactOptional()
    .meta({
      description:
        'Changes the schema of a database, once and before any switch: a command, or a mapping with command, store, timeout and lock_timeout.',
    }),
  slots: z
    .tuple([port, port], { error: expecting('two ports, such as [13080, 23080]') })
    .exactOptional()
    .meta({
      description: 'Ports of slot a and slot b. Left out: port + 10000 and port + 20000.',
    }),
  ...sharedServiceKeys,
}

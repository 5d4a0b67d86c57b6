import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FileView } from './detect.ts'
import type { Fleet } from './fleet.ts'
import { loadManifest } from './load.ts'

const SMALLEST = `
fleet: small
environments: { production: { branch: main } }
services: { backend: { port: 3080 } }
`

describe('the smallest manifest', () => {
  it('gets every default', async () => {
    const fleet = await fleetOf(SMALLEST, ['services/backend/package.json'])

    assert.deepEqual(fleet, {
      name: 'small',
      services: [
        {
          name: 'backend',
          path: 'services/backend',
          language: 'node',
          port: 3080,
          slotPorts: [13_080, 23_080],
          needs: [],
          ready: { path: '/health/ready', timeoutMs: 60_000, steadyMs: 2000 },
          drainMs: 10_000,
          variables: {},
          shared: [],
          smoke: ['/health/ready'],
        },
      ],
      environments: [
        {
          name: 'production',
          branch: 'main',
          hosts: ['local'],
          strategy: 'together',
          portOffset: 0,
          variables: {},
          services: {},
          verify: { watchMs: 30_000, errorRise: 0.01, minRequests: 20 },
          warmMs: 300_000,
          keep: 5,
          runtime: 'pm2',
          router: 'nginx',
        },
      ],
      hosts: [{ name: 'local', labels: [] }],
      stores: [],
      shared: [],
    })
  })
})

describe('a manifest that says everything', () => {
  it('is taken at its word', async () => {
    const fleet = await fleetOf(
      `
fleet: full
shared: [package-lock.json, ./packages//common/, packages/common]
stores:
  database: { kind: postgres }
  cache: { kind: redis, variable: CACHE_URL }
  search: { kind: meilisearch, optional: true }
  mail: { kind: other, variable: SMTP_URL }
hosts:
  web-1: deploy@10.0.0.1
  web-2: { ssh: web-2, labels: [web, worker, web] }
  web-3: { ssh: deploy@web-3.example.org, port: 2222, address: 10.0.0.3, labels: [web] }
  edge: edge.example.org
environments:
  staging:
    branch: feature/x
    hosts: [edge, web]
    strategy: { rolling: { batch: 2 } }
    ports: 1000
    verify: { watch: 1m, errors: 0.5%, requests: 7 }
    warm: 2h
    keep: 9
    root: /srv/full
    runtime: systemd
    router: caddy
    variables: { LOG_LEVEL: debug, DATABASE_URL: { secret: STAGING_DATABASE } }
    services: { backend: { variables: { ONLY: here } } }
services:
  backend:
    port: 3080
    path: ./apps//backend/
    language: command
    slots: [4000, 4001]
    needs: [config]
    ready: { path: /up, timeout: 90s, steady: 500ms }
    smoke: [/up, /api?x=1]
    drain: 1d
    start: " ./run "
    build: make
    migrate: { command: ./migrate, store: database, timeout: 1h, lock_timeout: 2s }
    singleton: { pause: /pause, active: /active }
    shared: [proto]
    on: [web, edge]
    limits: { memory: 512M, cpu: 150% }
    variables: { A: text, B: 1.10, C: true, D: { secret: TOKEN }, CACHE_URL: redis://own }
  config: { language: go }
`,
      ['apps/backend/x', 'services/config/x', 'package-lock.json', 'packages/common/x', 'proto/x'],
    )

    assert.deepEqual(fleet.services[0], {
      name: 'backend',
      path: 'apps/backend',
      language: 'command',
      port: 3080,
      slotPorts: [4000, 4001],
      needs: ['config'],
      ready: { path: '/up', timeoutMs: 90_000, steadyMs: 500 },
      start: './run',
      build: 'make',
      migrate: { command: './migrate', store: 'database', timeoutMs: 3_600_000, lockTimeoutMs: 2000 },
      singleton: { pause: '/pause', active: '/active' },
      drainMs: 86_400_000,
      variables: {
        DATABASE_URL: { secret: 'DATABASE_URL' },
        CACHE_URL: 'redis://own',
        MEILI_URL: { secret: 'MEILI_URL' },
        SMTP_URL: { secret: 'SMTP_URL' },
        A: 'text',
        B: '1.10',
        C: 'true',
        D: { secret: 'TOKEN' },
      },
      shared: ['proto'],
      smoke: ['/up', '/api?x=1'],
      on: ['web', 'edge'],
      limits: { memoryBytes: 536_870_912, cpuPercent: 150 },
    })
    assert.deepEqual(fleet.hosts, [
      { name: 'web-1', ssh: { destination: 'deploy@10.0.0.1' }, labels: [] },
      { name: 'web-2', ssh: { destination: 'web-2' }, labels: ['web', 'worker'] },
      {
        name: 'web-3',
        ssh: { destination: 'deploy@web-3.example.org', port: 2222 },
        address: '10.0.0.3',
        labels: ['web'],
      },
      { name: 'edge', ssh: { destination: 'edge.example.org' }, labels: [] },
    ])
    assert.deepEqual(fleet.environments, [
      {
        name: 'staging',
        branch: 'feature/x',
        hosts: ['edge', 'web-2', 'web-3'],
        strategy: { rolling: { batch: 2 } },
        portOffset: 1000,
        variables: { LOG_LEVEL: 'debug', DATABASE_URL: { secret: 'STAGING_DATABASE' } },
        services: { backend: { variables: { ONLY: 'here' } } },
        verify: { watchMs: 60_000, errorRise: 0.005, minRequests: 7 },
        warmMs: 7_200_000,
        keep: 9,
        root: '/srv/full',
        runtime: 'systemd',
        router: 'caddy',
      },
    ])
    assert.deepEqual(fleet.stores, [
      { name: 'database', kind: 'postgres', variable: 'DATABASE_URL', optional: false },
      { name: 'cache', kind: 'redis', variable: 'CACHE_URL', optional: false },
      { name: 'search', kind: 'meilisearch', variable: 'MEILI_URL', optional: true },
      { name: 'mail', kind: 'other', variable: 'SMTP_URL', optional: false },
    ])
    assert.deepEqual(fleet.shared, ['package-lock.json', 'packages/common'])
  })
})

describe('defaults', () => {
  it("give way to a service's own word, key by key inside ready and name by name in variables", async () => {
    const fleet = await fleetOf(
      `
fleet: f
defaults:
  needs: [config, gateway]
  ready: { path: /ok, timeout: 5s }
  drain: 3s
  start: ./all
  singleton: true
  variables: { A: general, B: general }
  shared: [lib]
  smoke: [/all]
environments: { production: { branch: main } }
services:
  config: { port: 3000, language: go, singleton: false }
  gateway: { port: 3001, language: go, singleton: false, ready: { timeout: 9s } }
  backend: { port: 3002, language: go, ready: /own, drain: 1s, start: ./own, smoke: [], shared: [], variables: { B: own } }
  worker: { language: go, needs: [] }
`,
      ['services/config/x', 'services/gateway/x', 'services/backend/x', 'services/worker/x', 'lib/x'],
    )

    const [backend, config, gateway, worker] = fleet.services
    assert.deepEqual(
      fleet.services.map(({ name, needs }) => [name, needs]),
      [
        ['backend', ['config', 'gateway']],
        ['config', []],
        ['gateway', ['config']],
        ['worker', []],
      ],
    )
    assert.deepEqual(backend?.ready, { path: '/own', timeoutMs: 5000, steadyMs: 2000 })
    assert.deepEqual(gateway?.ready, { path: '/ok', timeoutMs: 9000, steadyMs: 2000 })
    assert.deepEqual([backend?.drainMs, config?.drainMs], [1000, 3000])
    assert.deepEqual([backend?.start, config?.start], ['./own', './all'])
    assert.deepEqual([backend?.smoke, config?.smoke, worker?.smoke], [[], ['/all'], []])
    assert.deepEqual([backend?.shared, config?.shared], [[], ['lib']])
    assert.deepEqual(backend?.variables, { A: 'general', B: 'own' })
    assert.deepEqual([backend?.singleton, config?.singleton], [{}, undefined])
  })

  it('of a migration name the only PostgreSQL store', async () => {
    const fleet = await fleetOf(
      `
fleet: f
stores: { cache: { kind: redis }, main: { kind: postgres } }
environments: { production: { branch: main } }
services: { a: { language: go, migrate: npx prisma migrate deploy } }
`,
      ['services/a/go.mod'],
    )

    assert.deepEqual(fleet.services[0]?.migrate, {
      command: 'npx prisma migrate deploy',
      store: 'main',
      timeoutMs: 600_000,
      lockTimeoutMs: 5000,
    })
  })
})

describe('the language of a service', () => {
  const manifest = `
fleet: f
environments: { production: { branch: main } }
services: { a: {}, b: {}, c: {}, d: { path: . }, e: { language: command, start: ./e } }
`

  it('is found by the files in its folder', async () => {
    const fleet = await fleetOf(manifest, [
      'services/a/go.mod',
      'services/b/requirements.txt',
      'services/c/pyproject.toml',
      'package.json',
      'services/e/x',
    ])

    assert.deepEqual(
      fleet.services.map(({ language }) => language),
      ['go', 'python', 'python', 'node', 'command'],
    )
  })

  it('is found the same way where folders can be listed', async () => {
    const files = viewOf([
      'services/a/go.mod',
      'services/b/requirements.txt',
      'services/c/pyproject.toml',
      'package.json',
      'services/e/x',
    ])
    const listing: FileView = {
      exists: (path) => files.exists(path),
      list: (folder) =>
        folder === '.'
          ? ['package.json']
          : folder === 'services/a'
            ? ['go.mod']
            : folder.startsWith('services/e')
              ? ['x']
              : ['requirements.txt'],
    }

    const { fleet } = await loadManifest(manifest, { file: 'drover.yaml', repository: listing })

    assert.deepEqual(
      fleet?.services.map(({ language }) => language),
      ['go', 'python', 'python', 'node', 'command'],
    )
  })

  it('that cannot be found, a folder and a shared file that are not there are all named', async () => {
    const { fleet, problems } = await loadManifest(
      `shared: [gone]\n${manifest.replace('d: { path: . }', 'd: { path: gone/d, shared: [lib] }')}`,
      {
        file: 'drover.yaml',
        repository: viewOf([
          'services/a/README',
          'services/b/package.json',
          'services/b/go.mod',
          'services/c/go.mod',
          'services/e/x',
        ]),
      },
    )

    assert.equal(fleet, undefined)
    assert.deepEqual(
      problems.map(({ code, severity, where, what }) => [code, severity, `${where.line}:${where.column}`, what]),
      [
        [
          'manifest/no-shared',
          'warning',
          '1:10',
          'there is no "gone" in the repository, so no change of it will be seen',
        ],
        [
          'manifest/no-language',
          'error',
          '5:13',
          'cannot tell the language: "services/a" has none of package.json, go.mod, requirements.txt, pyproject.toml',
        ],
        ['manifest/which-language', 'warning', '5:20', 'is taken for node, since it has package.json and go.mod'],
        ['manifest/no-folder', 'error', '5:45', 'there is no folder "gone/d" in the repository'],
        [
          'manifest/no-shared',
          'warning',
          '5:62',
          'there is no "lib" in the repository, so no change of it will be seen',
        ],
      ],
    )
  })
})

describe('a warning', () => {
  it('comes along with the fleet', async () => {
    const { fleet, problems } = await loadManifest(SMALLEST.replace('3080', '3080, variables: { A: "amqp://u:p@h" }'), {
      file: 'drover.yaml',
      repository: viewOf(['services/backend/go.mod']),
    })

    assert.equal(fleet?.name, 'small')
    assert.deepEqual(
      problems.map(({ code, severity }) => [code, severity]),
      [['manifest/password', 'warning']],
    )
  })
})

async function fleetOf(text: string, files: readonly string[]): Promise<Fleet> {
  const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml', repository: viewOf(files) })
  assert.deepEqual(problems, [])
  assert.ok(fleet)
  return fleet
}

function viewOf(files: readonly string[]): FileView {
  return { exists: (path) => files.some((file) => file === path || file.startsWith(`${path}/`)) }
}

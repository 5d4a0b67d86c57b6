import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { workingTree } from './detect.ts'
import { draftManifest } from './draft.ts'
import { loadManifest } from './load.ts'

const folders: string[] = []
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function repositoryOf(
  files: Readonly<Record<string, string>>,
  branches: readonly string[] = [],
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'drover-draft-'))
  folders.push(root)
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), content)
  }
  if (branches.length === 0) return root
  const git = (...argv: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@t', ...argv], { stdio: 'ignore' })
  git('init', '-q', '-b', branches[0]!)
  git('add', '-A')
  git('commit', '-q', '-m', 'first')
  for (const branch of branches.slice(1)) git('branch', branch)
  return root
}

const START = '{ "scripts": { "start": "node ." } }'

describe('a draft', () => {
  it('of services in Node, Go and Python is a manifest that Drover takes', async () => {
    const root = await repositoryOf(
      {
        'package.json': '{ "name": "@acme/Paka Shop" }',
        'package-lock.json': '{}',
        'packages/common/package.json': '{ "name": "common" }',
        'services/backend/package.json':
          '{ "scripts": { "start": "node ." }, "dependencies": { "@prisma/client": "7", "bullmq": "5" } }',
        'services/backend/prisma/schema.prisma': 'datasource db {\n  provider = "postgresql"\n}\n',
        'services/backend/index.js':
          "app.get('/health/ready'); listen(process.env.PORT || 3080); fetch(process.env.CONFIG_URL)",
        'services/backend/node_modules/x/index.js': 'process.env.PORT || 1111',
        'services/config/package.json': START,
        'services/config/src/main.ts': "Number(process.env['PORT'] ?? '3085'); get('/health/ready')",
        'services/search/go.mod': 'module search\nrequire github.com/meilisearch/meilisearch-go v0.30.0\n',
        'services/search/src/main.go':
          'package main\nport := os.Getenv("PORT")\nif port == "" { port = "3005" }\n"/health/ready"\n',
        'services/Moderation_v2/requirements.txt': 'flask==3.0\nredis>=5\n',
        'services/Moderation_v2/main.py': 'int(os.environ.get("PORT", "3110"))\n@app.get("/api/health")\n',
        'services/scheduler/package.json': START,
        'ops/systemd/scheduler.service':
          '[Service]\nWorkingDirectory=/opt/x/services/scheduler\nEnvironment="PORT=3004"\n',
        'services/notes/README.md': 'not a service',
      },
      ['main', 'production', 'feature/x'],
    )

    const { text, notes } = await draftManifest(root)

    assert.equal(
      text,
      `# A draft by \`drover init\`. Read it through; a comment marks what only you know.
# \`drover docs\` explains every key, \`drover check\` says what is wrong.
fleet: paka-shop
shared: [package-lock.json, packages] # a change here rebuilds every service

stores:
  database: { kind: postgres } # its address comes from the secret DATABASE_URL
  redis: { kind: redis } # REDIS_URL
  search: { kind: meilisearch, optional: true } # MEILI_URL; optional: the fleet lives without it

# defaults: { needs: [config] } # what holds for all

environments:
  staging: { branch: main, ports: 1000 } # on the same machine, every port 1000 higher
  production: { branch: production } # hosts: [local] unless you name others

services:
  backend:       { port: 3080, migrate: npx prisma migrate deploy } # needs: [config]?
  config:        { port: 3085 } # needs: []?
  moderation-v2: { port: 3110, path: services/Moderation_v2, ready: /api/health } # needs: []?
  scheduler:     { port: 3004 } # needs: []?; singleton: true?
  search:        { port: 3005 } # needs: []?
`,
    )
    assert.deepEqual(notes, [
      'No readiness path was found in the source of scheduler; /health/ready is a guess.',
      'Must scheduler not run twice? Then say singleton: true.',
    ])
    const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml', repository: workingTree(root) })
    assert.deepEqual(problems, [])
    assert.deepEqual(
      fleet?.services.map(({ name, language }) => [name, language]),
      [
        ['backend', 'node'],
        ['config', 'node'],
        ['moderation-v2', 'python'],
        ['scheduler', 'node'],
        ['search', 'go'],
      ],
    )
  })

  it('of a repository that is one service takes its root', async () => {
    const root = await repositoryOf(
      {
        'package.json': '{ "name": "shop", "scripts": { "start": "PORT=4000 node ." } }',
        'server.js': '"/api/health"',
      },
      ['master'],
    )

    const { text, notes } = await draftManifest(root)

    assert.match(text, /^fleet: shop$/m)
    assert.match(text, /^defaults: \{ ready: \/api\/health \}$/m)
    assert.match(text, /^ {2}production: \{ branch: master \}/m)
    assert.match(text, /: +\{ port: 4000, path: \. \}/)
    assert.deepEqual(notes, [])
  })

  it('asks where two services seem to take one port, and where it finds none', async () => {
    const root = await repositoryOf({
      'apps/a/package.json': START,
      'apps/a/.env.example': 'PORT=3000\n',
      'apps/b/package.json': START,
      'apps/b/.env.example': 'PORT=3000\n',
      'services/b/go.mod': 'module b\n',
      'services/b/main.go': 'package main\n',
    })

    const { text, notes } = await draftManifest(root)

    assert.match(text, /^ {2}a: +\{ port: 3000, path: apps\/a \}/m)
    assert.match(text, /^ {2}apps-b: +\{ path: apps\/b \} # port: 3000\?/m)
    assert.match(text, /^ {2}b: +\{\} # port: \?/m)
    assert.deepEqual(notes, [
      'No branch tells what is live; production takes main.',
      'apps-b seems to take port 3000, which another service has; give it one of its own.',
      'No port was found for b: taken for a worker that serves nothing.',
      'No readiness path was found in the source of a; /health/ready is a guess.',
    ])
    assert.ok((await loadManifest(text, { file: 'drover.yaml', repository: workingTree(root) })).fleet)
  })

  it('of names, branches and files that mean harm is still a manifest', async () => {
    const root = await repositoryOf(
      {
        "services/it's $(touch x); #/package.json": '{ "scripts": { "start": 5 } }',
        'services/a: {b} #/package.json': START,
        'services/broken/package.json': '{ not json',
        'services/list/package.json': '[1, 2]',
        'services/constructor/go.mod': 'module c\n',
        'services/constructor/main.go': 'package main\n',
        'package.json': '{ "name": "# }{" }',
      },
      ['$(touch-y);{}'],
    )

    const { text, notes } = await draftManifest(root)

    const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml', repository: workingTree(root) })
    assert.deepEqual(problems, [])
    assert.deepEqual(
      fleet?.services.map(({ name, path }) => [name, path]),
      [
        ['a-b', 'services/a: {b} #'],
        ['app', 'services/constructor'],
      ],
    )
    assert.equal(fleet?.environments[0]?.branch, '$(touch-y);{}')
    assert.equal(notes.length, 2)
  })

  it('of nothing says so', async () => {
    const root = await repositoryOf({ 'README.md': 'x' })

    const { notes } = await draftManifest(root)

    assert.equal(
      notes[1],
      'No service was found under services/, apps/, packages/, backend/ or in the root; add them by hand.',
    )
  })
})

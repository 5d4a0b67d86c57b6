import assert from 'node:assert/strict'
import { formatProblem } from '../../problem/problem.ts'
import { forEnvironment } from '../environment.ts'
import { loadManifest } from '../load.ts'
import { renderGraph } from '../render-graph.ts'
import { mutate, randomFrom } from './mutate.ts'

const VALID = `# a manifest to be spoiled
fleet: pakashop
shared: [package-lock.json, packages]
x-common: &common { drain: 5s, language: node }
stores:
  database: { kind: postgres, variable: DATABASE_URL }
  search: { kind: meilisearch, optional: true }
defaults: { ready: /health/ready, needs: [config] }
environments:
  staging: { branch: main, ports: 1000, variables: { LOG_LEVEL: debug, TOKEN: { secret: TOKEN } } }
  production:
    branch: production
    hosts: [local]
    verify: { watch: 10s, errors: 1%, requests: 20 }
    services: { backend: { variables: { A: "1" } } }
services:
  config: { port: 3085, language: node }
  backend: { port: 3080, language: node, needs: [config], migrate: npx prisma migrate deploy }
  search:
    port: 3005
    language: go
    smoke: [/search?q=x]
  scheduler: { port: 3004, language: node, singleton: { pause: /pause, active: /active } }
  worker: *common
`

/** Loads so many spoiled manifests; each has to end in a fleet that works or in problems that can be read. */
export async function meetMutations(count: number, seed: number): Promise<{ fleet: number; problems: number }> {
  const random = randomFrom(seed)
  const ends = { fleet: 0, problems: 0 }
  for (let n = 0; n < count; n++) {
    const text = mutate(VALID, random)
    ends[await endOf(text, `SEED=${seed}, mutation ${n}:\n${JSON.stringify(text)}`)]++
  }
  return ends
}

async function endOf(text: string, label: string): Promise<'fleet' | 'problems'> {
  const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml' }).catch((error: unknown) => {
    throw new Error(label, { cause: error })
  })
  const lines = text.split('\n').length
  for (const problem of problems) {
    const { line = 0, column = 0, file } = problem.where
    const said = formatProblem(problem)
    assert.ok(file === 'drover.yaml' && line >= 1 && line <= lines && column >= 1, `${said}\n${label}`)
    assert.match(problem.what, /^(?![A-Z][a-z])\S.*[^.\s]$/, `${said}\n${label}`)
    assert.doesNotMatch(said, /\n\s+at |undefined|\[object|TypeError|RangeError/, label)
  }
  assert.equal(
    fleet === undefined,
    problems.some(({ severity }) => severity === 'error'),
    label,
  )
  if (fleet === undefined) return 'problems'
  for (const { name } of fleet.environments) forEnvironment(fleet, name)
  renderGraph(fleet)
  return 'fleet'
}

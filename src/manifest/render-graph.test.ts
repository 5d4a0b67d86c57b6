import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadManifest } from './load.ts'
import { graphDot, renderGraph } from './render-graph.ts'

const { fleet } = await loadManifest(
  `
fleet: f
stores: { database: { kind: postgres } }
environments: { production: { branch: main } }
services:
  config: { port: 3085, language: node }
  backend: { port: 3080, language: go, needs: [config], migrate: ./migrate }
  scheduler: { language: python, needs: [config, backend], singleton: true }
`,
  { file: 'drover.yaml' },
)

describe('the graph', () => {
  it('reads as tiers', () => {
    assert.equal(
      renderGraph(fleet!),
      `tier 1, at once
  config     :3085 node
tier 2, after tier 1
  backend    :3080 go migrates database  needs config
tier 3, after tier 2
  scheduler  worker python singleton  needs config, backend
`,
    )
  })

  it('is written for Graphviz', () => {
    assert.equal(
      graphDot(fleet!),
      `digraph "f" {
  rankdir=RL;
  node [shape=box];
  "backend";
  "config";
  "scheduler" [peripheries=2];
  "backend" -> "config";
  "scheduler" -> "config";
  "scheduler" -> "backend";
}
`,
    )
  })
})

import type { Fleet, Service } from './fleet.ts'
import { tiers } from './graph.ts'

/**
 * The order of start as text for `drover graph`: one tier after the other, with what each service needs. A service
 * starts as soon as those that it needs are ready; a tier only shows how far it is from the beginning.
 */
export function renderGraph(fleet: Fleet): string {
  const width = Math.max(...fleet.services.map(({ name }) => name.length))
  const parts = tiers(fleet.services).map((tier, index) => {
    const title = index === 0 ? 'at once' : `after tier ${index}`
    return [`tier ${index + 1}, ${title}`, ...tier.map((service) => `  ${line(service, width)}`)].join('\n')
  })
  return `${parts.join('\n')}\n`
}

function line(service: Service, width: number): string {
  const marks = [
    service.port === undefined ? 'worker' : `:${service.port}`,
    service.language,
    ...(service.singleton === undefined ? [] : ['singleton']),
    ...(service.migrate === undefined ? [] : [`migrates ${service.migrate.store}`]),
  ]
  const needs = service.needs.length === 0 ? '' : `  needs ${service.needs.join(', ')}`
  return `${service.name.padEnd(width)}  ${marks.join(' ')}${needs}`
}

/** The same for Graphviz: `drover graph --dot | dot -Tsvg`. An arrow points from a service to what it needs. */
export function graphDot(fleet: Fleet): string {
  const nodes = fleet.services.map(
    ({ name, singleton }) => `  ${JSON.stringify(name)}${singleton === undefined ? '' : ' [peripheries=2]'};`,
  )
  const edges = fleet.services.flatMap(({ name, needs }) =>
    needs.map((need) => `  ${JSON.stringify(name)} -> ${JSON.stringify(need)};`),
  )
  return [
    `digraph ${JSON.stringify(fleet.name)} {`,
    '  rankdir=RL;',
    '  node [shape=box];',
    ...nodes,
    ...edges,
    '}',
    '',
  ].join('\n')
}

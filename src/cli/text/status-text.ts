import type { ReleaseDocument, StatusDocument } from '../../release/documents.ts'
import { findingText } from './drift-text.ts'
import type { Paint } from './paint.ts'
import { table } from './table.ts'
import type { Cell } from './table.ts'
import { age, counted, moment } from './time.ts'
import { fit, oneLine } from './width.ts'

export interface StatusTextOptions {
  readonly width: number
  readonly paints: Paint
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** One screen of what runs in an environment. */
export function statusText(status: StatusDocument, options: StatusTextOptions): string {
  const { paints, width } = options
  const head = `${paints.bold(`${status.fleet}/${status.environment}`)}  ${status.live === undefined ? paints.dim('nothing is live') : liveText(status.live, options)}`
  const active =
    status.active === undefined
      ? []
      : [
          paints.cyan(
            fit(
              `#${status.active.number} by ${oneLine(status.active.actor)} is under way: ${status.active.phase}`,
              width,
            ),
          ),
        ]
  const trouble = status.hosts.flatMap((host) => hostTrouble(host, status, paints))
  const services = status.services.length === 0 ? [] : ['', servicesTable(status, options)]
  return [head, ...active, ...trouble, ...services].join('\n')
}

function liveText(live: ReleaseDocument, { now, paints }: StatusTextOptions): string {
  const since = live.switchedAt ?? live.endedAt ?? live.requestedAt
  const commit = [live.commit?.slice(0, 7), live.subject]
    .filter((word) => word !== undefined)
    .map(oneLine)
    .join(' ')
  return `${paints.green(`#${live.number} is live`)} since ${moment(since)} (${age(now - since)})  ${paints.dim(commit)}`
}

/** A router that is stopped where nothing is live is as it should be. */
function hostTrouble(
  host: StatusDocument['hosts'][number],
  { environment, live }: StatusDocument,
  { red, yellow }: Paint,
): string[] {
  const problem = host.problem === undefined ? '' : `: ${oneLine(host.problem)}`
  const { behind, drift } = host
  return [
    ...(host.reachable ? [] : [red(`✗ host ${host.host} cannot be reached${problem}`)]),
    ...(host.reachable && live !== undefined && host.router === 'stopped' && drift === undefined
      ? [red(`✗ the router on host ${host.host} is stopped`)]
      : []),
    // A release that healed the host has a higher number than the live one.
    ...(behind === undefined && live !== undefined && host.release !== undefined && host.release < live.number
      ? [yellow(`! on host ${host.host} the set of release ${host.release} is live`)]
      : []),
    ...(behind === undefined
      ? []
      : [
          yellow(
            `! host ${host.host} ${oneLine(behind.why)}: others send it nothing until \`drover hosts heal ${environment} ${host.host}\``,
          ),
        ]),
    ...driftLines(host, environment).map(yellow),
  ]
}

/** One screen has room for so many of a host. */
const SHOWN_FINDINGS = 8

function driftLines({ host, drift = [] }: StatusDocument['hosts'][number], environment: string): string[] {
  if (drift.length === 0) return []
  const head = `! host ${host} has drifted, ${counted(drift.length, 'finding')}: \`drover hosts drift ${environment}\` tells what to do`
  const shown = drift.slice(0, drift.length > SHOWN_FINDINGS ? SHOWN_FINDINGS - 1 : SHOWN_FINDINGS)
  const more = drift.length - shown.length
  return [
    head,
    ...shown.map((finding) => `    ${findingText(finding)}`),
    ...(more === 0 ? [] : [`    and ${more} more`]),
  ]
}

type ServiceRow = StatusDocument['services'][number]

/** What is the same on several hosts, together. */
function alike(services: readonly ServiceRow[]): (readonly ServiceRow[])[] {
  const byService = Map.groupBy(services, ({ service }) => service)
  return [...byService.values()].flatMap((rows) => [
    ...Map.groupBy(rows, ({ state, release, artifact, differs, deviation }) =>
      JSON.stringify([state, release, artifact, differs, deviation]),
    ).values(),
  ])
}

function servicesTable({ services }: StatusDocument, { width, paints, now }: StatusTextOptions): string {
  const severalHosts = new Set(services.map(({ host }) => host)).size > 1
  const columns = [
    { title: 'SERVICE', least: 10 },
    { title: 'HOST', least: 6 },
    { title: 'STATE' },
    { title: 'RELEASE', align: 'right' },
    { title: 'ARTIFACT' },
    { title: 'SLOT' },
    { title: 'PORT', align: 'right' },
    { title: 'RESTARTS', align: 'right' },
    { title: 'AGE', align: 'right' },
    { title: 'MEMORY', align: 'right' },
    { title: 'WARM' },
    { title: 'DEVIATION' },
  ] as const
  const rows = alike(services).map((group): (string | Cell)[] => {
    const [each] = group
    if (each === undefined) return []
    const slots = group.flatMap(({ slot }) => slot ?? [])
    const restarts = slots.reduce((sum, slot) => sum + slot.restarts, 0)
    const started = slots.flatMap(({ startedAt }) => startedAt ?? [])
    const warm = group.filter((row) => row.warm).length
    return [
      each.service,
      severalHosts ? group.map(({ host }) => host).join(', ') : '',
      { text: each.state, paint: each.state === 'ready' ? paints.green : paints.red },
      each.release === undefined ? '' : `#${each.release}`,
      { text: each.artifact?.slice(0, 7) ?? '', paint: paints.dim },
      [...new Set(slots.map(({ slot }) => slot))].join(', '),
      each.port === undefined ? '' : String(each.port),
      slots.length === 0 ? '' : { text: String(restarts), ...(restarts > 0 ? { paint: paints.yellow } : {}) },
      started.length === 0 ? '' : age(now - Math.max(...started)),
      memoryOf(slots),
      warm === 0 ? '' : warm === group.length ? 'warm' : `${warm} of ${group.length}`,
      deviationCell(each, paints),
    ]
  })
  return table(columns, rows, { width, head: paints.dim })
}

/** Of all its slots, where the runtime knows it. */
function memoryOf(slots: readonly { readonly memoryBytes?: number | undefined }[]): string {
  const known = slots.flatMap(({ memoryBytes }) => memoryBytes ?? [])
  return known.length === 0 ? '' : `${Math.ceil(known.reduce((sum, bytes) => sum + bytes, 0) / 1024 ** 2)} MB`
}

function deviationCell({ deviation, differs }: ServiceRow, { yellow, red }: Paint): string | Cell {
  if (differs === true) return { text: 'not as released', paint: red }
  return deviation === undefined ? '' : { text: `from #${deviation.release}`, paint: yellow }
}

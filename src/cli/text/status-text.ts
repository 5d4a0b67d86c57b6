import type { ReleaseDocument, StatusDocument } from '../../release/documents.ts'
import type { Paint } from './paint.ts'
import { table } from './table.ts'
import type { Cell } from './table.ts'
import { age, moment } from './time.ts'
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
  const trouble = status.hosts.flatMap((host) => hostTrouble(host, status.live !== undefined, paints))
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
function hostTrouble(host: StatusDocument['hosts'][number], live: boolean, { red }: Paint): string[] {
  const problem = host.problem === undefined ? '' : `: ${oneLine(host.problem)}`
  if (!host.reachable) return [red(`✗ host ${host.host} cannot be reached${problem}`)]
  return live && host.router === 'stopped' ? [red(`✗ the router on host ${host.host} is stopped`)] : []
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
    { title: 'WARM' },
    { title: 'DEVIATION' },
  ] as const
  const rows = services.map((each): (string | Cell)[] => [
    each.service,
    severalHosts ? each.host : '',
    { text: each.state, paint: each.state === 'ready' ? paints.green : paints.red },
    each.release === undefined ? '' : `#${each.release}`,
    { text: each.artifact?.slice(0, 7) ?? '', paint: paints.dim },
    each.slot?.slot ?? '',
    each.port === undefined ? '' : String(each.port),
    each.slot === undefined
      ? ''
      : { text: String(each.slot.restarts), ...(each.slot.restarts > 0 ? { paint: paints.yellow } : {}) },
    each.slot?.startedAt === undefined ? '' : age(now - each.slot.startedAt),
    each.warm ? 'warm' : '',
    each.deviation === undefined ? '' : { text: `from #${each.deviation.release}`, paint: paints.yellow },
  ])
  return table(columns, rows, { width, head: paints.dim })
}

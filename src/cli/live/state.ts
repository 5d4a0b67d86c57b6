import type { ReleaseDocument } from '../../release/documents.ts'
import type { EventBody, Phase, ReleaseEvent, ServiceState } from '../../release/records.ts'
import { oneLine } from '../text/width.ts'

/** All that the live view knows of a release; made from its record and its events, nothing else. */
export interface ReleaseView {
  readonly fleet: string
  readonly environment: string
  readonly number: number
  readonly goal: ReleaseDocument['goal']
  readonly actor: string
  readonly requestedAt: number
  readonly commit?: string
  readonly subject?: string
  readonly to?: number
  /** Of a heal. */
  readonly host?: string
  readonly phase: Phase
  /** The last phase that did not undo. */
  readonly reached: Phase
  /** By name; of an unchanged service nothing more happens once the plan is known. */
  readonly services: ReadonlyMap<string, ServiceView>
  readonly plan?: Extract<EventBody, { kind: 'plan' }>
  readonly waiting?: Extract<EventBody, { kind: 'waiting' }>
  readonly watch?: Extract<EventBody, { kind: 'watch' }>
  /** Longest that the watch was told to last. */
  readonly watchMs: number
  readonly switchedAt?: number
  /** The newest, oldest first. */
  readonly output: readonly { readonly service: string; readonly line: string }[]
  readonly note?: string
  readonly resumed: boolean
  /** What goes on between this program and the control plane, when it is worth a word. */
  readonly link?: 'cancelling' | 'lost'
  readonly ended?: Extract<EventBody, { kind: 'ended' }>
}

export interface ServiceView {
  readonly name: string
  /** Unknown before the plan. */
  readonly change?: string
  readonly reasons: readonly string[]
  /** Of the host that is furthest behind. */
  readonly state?: ServiceState
  readonly since: number
  /** How long the state before the present one took. */
  readonly tookMs?: number
  readonly detail?: string
  readonly line?: string
  /** State per host, where hosts are named. */
  readonly hosts: ReadonlyMap<string, ServiceState>
}

const KEPT_LINES = 200

export function viewOf(release: ReleaseDocument): ReleaseView {
  const { fleet, environment, number, goal, actor, requestedAt } = release
  const view = { fleet, environment, number, goal, actor, requestedAt, phase: 'queued', reached: 'queued' } as const
  return withRecord({ ...view, services: new Map(), watchMs: 0, output: [], resumed: false }, release)
}

/** What the record tells and no event does: the commit, once the source step has found it. */
export function withRecord(view: ReleaseView, { commit, subject, to, host }: ReleaseDocument): ReleaseView {
  return {
    ...view,
    ...(commit === undefined ? {} : { commit }),
    ...(subject === undefined ? {} : { subject: oneLine(subject) }),
    ...(to === undefined ? {} : { to }),
    ...(host === undefined ? {} : { host }),
  }
}

export function withLink(view: ReleaseView, link: ReleaseView['link'] | undefined): ReleaseView {
  const { link: _old, ...rest } = view
  return link === undefined ? rest : { ...rest, link }
}

export function reduce(view: ReleaseView, { at, body }: Pick<ReleaseEvent, 'at' | 'body'>): ReleaseView {
  switch (body.kind) {
    case 'phase':
      return enter(view, body.phase)
    case 'service':
      return withService(view, body.service, (service) => moved(service, body, at))
    case 'plan':
      return planned(view, body, at)
    case 'waiting':
      return { ...view, waiting: body }
    case 'output':
      return withOutput(view, body, at)
    case 'note':
      return { ...view, note: oneLine(body.text) }
    case 'resumed':
      return { ...view, resumed: true, note: 'another Drover took it up where it was' }
    case 'switched':
      return switched(view, body.host, at)
    case 'watch':
      return { ...view, watch: body, watchMs: Math.max(view.watchMs, body.remainingMs) }
  }
  return { ...view, phase: 'ended', ended: body }
}

function enter(view: ReleaseView, phase: Phase): ReleaseView {
  const { waiting: _over, ...rest } = view
  return { ...rest, phase, reached: phase === 'undo' || phase === 'ended' ? view.reached : phase }
}

function withService(view: ReleaseView, name: string, change: (service: ServiceView) => ServiceView): ReleaseView {
  const service = view.services.get(name) ?? { name, reasons: [], since: 0, hosts: new Map() }
  return { ...view, services: new Map(view.services).set(name, change(service)) }
}

function moved(service: ServiceView, body: Extract<EventBody, { kind: 'service' }>, at: number): ServiceView {
  const { detail: _detail, tookMs: before, line: _line, ...rest } = service
  const hosts = new Map(service.hosts).set(body.host ?? '', body.state)
  const state = leastAdvanced(hosts)
  return {
    ...rest,
    hosts,
    state,
    since: state === service.state ? service.since : at,
    ...took(body, before),
    ...(body.detail === undefined ? {} : { detail: oneLine(body.detail) }),
  }
}

/** A service that is live goes on telling how long it took to get ready. */
function took({ ms, state }: Extract<EventBody, { kind: 'service' }>, before: number | undefined): { tookMs?: number } {
  const known = ms ?? (state === 'live' ? before : undefined)
  return known === undefined ? {} : { tookMs: known }
}

/** From what needs a person's eye to what is done. */
const ADVANCE: readonly ServiceState[] = [
  ...(['failed', 'building', 'built', 'reused', 'staged', 'migrating', 'migrated', 'held', 'starting'] as const),
  ...(['ready', 'live', 'warm', 'stopped'] as const),
]

/** Hosts that are named count; a state without a host, such as `built`, only as long as no host has one. */
function leastAdvanced(hosts: ReadonlyMap<string, ServiceState>): ServiceState {
  const named = [...hosts].filter(([host]) => host !== '').map(([, state]) => state)
  const states = named.length > 0 ? named : [...hosts.values()]
  return states.reduce((least, state) => (ADVANCE.indexOf(state) < ADVANCE.indexOf(least) ? state : least))
}

function planned(view: ReleaseView, body: Extract<EventBody, { kind: 'plan' }>, at: number): ReleaseView {
  const services = body.services.map(({ service, change, reasons }): [string, ServiceView] => {
    const known = view.services.get(service) ?? { name: service, since: at, hosts: new Map() }
    return [service, { ...known, change, reasons: reasons.map(oneLine) }]
  })
  return { ...view, plan: body, services: new Map(services) }
}

function withOutput(
  view: ReleaseView,
  { service, line }: Extract<EventBody, { kind: 'output' }>,
  at: number,
): ReleaseView {
  const text = oneLine(line).trimEnd()
  const output = [...view.output.slice(1 - KEPT_LINES), { service, line: text }]
  if (text === '') return { ...view, output }
  return withService({ ...view, output }, service, (known) => ({
    ...known,
    line: text,
    since: known.state === undefined ? at : known.since,
  }))
}

/** The switch moves everything that was ready on a host at one instant; there is no event for each. */
function switched(view: ReleaseView, on: string, at: number): ReleaseView {
  const services = new Map(view.services)
  for (const [name, service] of services) {
    if (service.hosts.get(on) !== 'ready') continue
    const hosts = new Map(service.hosts).set(on, 'live')
    const state = leastAdvanced(hosts)
    services.set(name, { ...service, hosts, state, since: state === service.state ? service.since : at })
  }
  return { ...view, services, switchedAt: view.switchedAt ?? at }
}

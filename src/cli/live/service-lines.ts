import type { ServiceState } from '../../release/records.ts'
import { duration } from '../text/time.ts'
import type { Paint } from '../text/paint.ts'
import { fit, padEnd, padStart, widthOf } from '../text/width.ts'
import { isBusy, placeInStory } from './phases.ts'
import type { ReleaseView, ServiceView } from './state.ts'
import { wheel } from './wheel.ts'

export interface ServiceLinesOptions {
  readonly width: number
  /** Most lines that may be given back. */
  readonly lines: number
  readonly tick: number
  readonly now: number
  readonly paints: Paint
}

const LONGEST_NAME = 28
const SYMBOLS: Readonly<Record<string, string>> = { add: '+', change: '~', remove: '-', same: '=' }

/**
 * A line for each service that something is done to, in the order of their names; those that nothing happens to
 * together in one. Where there is no room for all, the last line says what the others do.
 */
export function serviceLines(view: ReleaseView, options: ServiceLinesOptions): string[] {
  const all = [...view.services.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const quiet = all.filter((service) => isQuiet(service))
  const moving = all.filter((service) => !isQuiet(service))
  const quietLine = quiet.length > 0 ? [together(view, quiet, options)] : []
  const room = options.lines - quietLine.length
  const shown = moving.length <= room ? moving : mostTelling(moving, room - 1)
  const rest = moving.filter((service) => !shown.includes(service))
  const names = Math.min(LONGEST_NAME, Math.max(8, ...shown.map(({ name }) => widthOf(name))))
  const lines = shown.map((service) => line(view, service, { ...options, names }))
  return [...lines, ...(rest.length > 0 ? [others(rest, options)] : []), ...quietLine].slice(0, options.lines)
}

/** Before the plan is known, an artifact that was there already says that this service will most likely stay as it is. */
function isQuiet({ change, state }: ServiceView): boolean {
  return change === 'same' || (change === undefined && state === 'reused')
}

function together(view: ReleaseView, quiet: readonly ServiceView[], { width, paints }: ServiceLinesOptions): string {
  const word = view.plan === undefined ? 'built before' : 'unchanged'
  const names = quiet.map(({ name }) => name).join(', ')
  return paints.dim(fit(`= ${quiet.length} ${word}: ${names}`, width))
}

/** What failed, what is at work, what is still to come, what is done: in this order they are worth a line. */
function mostTelling(services: readonly ServiceView[], count: number): ServiceView[] {
  const rank = ({ state }: ServiceView): number => (state === 'failed' ? 0 : isBusy(state) ? 1 : isDone(state) ? 3 : 2)
  const chosen = new Set([...services].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, count)))
  return services.filter((service) => chosen.has(service))
}

function isDone(state: ServiceState | undefined): boolean {
  return state === 'ready' || state === 'live' || state === 'stopped' || state === 'warm'
}

function others(rest: readonly ServiceView[], { width, paints }: ServiceLinesOptions): string {
  const counts = Map.groupBy(rest, ({ state }) => state ?? 'to come')
  const parts = [...counts].map(([state, services]) => `${services.length} ${state}`)
  return paints.dim(fit(`  and ${rest.length} more: ${parts.join(', ')}`, width))
}

interface LineOptions extends ServiceLinesOptions {
  readonly names: number
}

const STATE_WIDTH = 12
const TIME_WIDTH = 7

function line(view: ReleaseView, service: ServiceView, { width, names, paints, now, tick }: LineOptions): string {
  const symbol = SYMBOLS[service.change ?? ''] ?? ' '
  const undone = isUndone(view, service)
  const state = undone ? 'stopped' : service.state
  const { icon, colour } = look(state, tick, paints)
  const word = undone ? 'undone' : (state ?? (view.plan === undefined ? '' : 'to come'))
  const spent = isBusy(state) ? now - service.since : undone ? undefined : service.tookMs
  const cells = [
    { text: symbol, paint: (text: string) => paintSymbol(text, paints) },
    { text: ` ${padEnd(fit(service.name, names), names)}  ` },
    { text: `${icon} ${padEnd(word, STATE_WIDTH)}`, paint: colour },
    { text: padStart(spent === undefined ? '' : duration(spent), TIME_WIDTH), paint: paints.dim },
    { text: `  ${detail(service, tick, paints)}`, paint: state === 'failed' ? paints.red : paints.dim },
  ]
  return inCells(cells, width)
}

interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

/** One after the other for as long as there is room. */
function inCells(cells: readonly Cell[], width: number): string {
  let room = width
  let text = ''
  for (const cell of cells) {
    const shown = fit(cell.text, room)
    room -= widthOf(shown)
    text += cell.paint === undefined || shown.trim() === '' ? shown : cell.paint(shown)
  }
  return text.trimEnd()
}

/** What was laid or started is gone again. */
function isUndone({ ended, reached }: ReleaseView, { state }: ServiceView): boolean {
  const changedHosts = placeInStory(reached) >= placeInStory('stage')
  return (
    ended !== undefined &&
    (ended.outcome === 'restored' || ended.outcome === 'cancelled') &&
    changedHosts &&
    state !== 'failed'
  )
}

/** How far each of its hosts is, what it said last, or why it changes. */
function detail(service: ServiceView, tick: number, paints: Paint): string {
  const words = service.detail ?? (isBusy(service.state) ? service.line : undefined) ?? service.reasons.join(', ')
  const hosts = [...service.hosts].filter(([host]) => host !== '').sort(([a], [b]) => (a < b ? -1 : 1))
  if (hosts.length < 2) return words
  const icons = hosts.map(([, state]) => look(state, tick, paints).icon).join('')
  const last = hosts.filter(([, state]) => state === service.state).map(([host]) => host)
  const names = last.length === hosts.length ? '' : ` ${last.join(', ')}`
  return `${icons}${names}  ${words}`.trimEnd()
}

function look(
  state: ServiceState | undefined,
  tick: number,
  { dim, cyan, green, yellow, red }: Paint,
): { icon: string; colour: (text: string) => string } {
  switch (state) {
    case undefined:
      return { icon: '·', colour: dim }
    case 'building':
    case 'migrating':
    case 'starting':
      return { icon: wheel(tick), colour: cyan }
    case 'held':
      return { icon: '‖', colour: yellow }
    case 'failed':
      return { icon: '✗', colour: red }
    case 'live':
      return { icon: '●', colour: green }
    case 'warm':
    case 'stopped':
      return { icon: '○', colour: dim }
    case 'ready':
      return { icon: '✓', colour: green }
    default:
      return { icon: '✓', colour: dim }
  }
}

export function paintSymbol(symbol: string, { green, yellow, red, dim }: Paint): string {
  if (symbol === '+') return green(symbol)
  if (symbol === '~') return yellow(symbol)
  return symbol === '-' ? red(symbol) : dim(symbol)
}

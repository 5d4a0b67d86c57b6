import { clock, counted, duration, number } from '../text/time.ts'
import { paint } from '../text/paint.ts'
import type { Paint } from '../text/paint.ts'
import { fit, oneLine, padEnd, widthOf } from '../text/width.ts'
import { STORY, placeInStory } from './phases.ts'
import { serviceLines } from './service-lines.ts'
import type { ReleaseView } from './state.ts'
import { wheel } from './wheel.ts'

export interface FrameOptions {
  readonly width: number
  readonly height: number
  /** Counts frames; turns the wheels. */
  readonly tick: number
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly colour: boolean
}

/** Lines of output that are shown where there is room. */
const MOST_OUTPUT = 8

/** One picture of a release under way, at most `width` wide and one line less than `height`, so that nothing scrolls. */
export function frame(view: ReleaseView, options: FrameOptions): string {
  const paints = paint(options.colour)
  const head = [title(view, options, paints), story(view, options, paints)]
  const foot = footer(view, options, paints)
  const room = Math.max(1, options.height - 1 - head.length - foot.length)
  const services = serviceLines(view, { ...options, paints, lines: room })
  // Air where there is room for it.
  const spare = room - services.length
  const above = spare >= 1 && services.length > 0 ? [''] : []
  const below = spare >= 2 ? [''] : []
  const output = outputLines(view, { ...options, paints, lines: Math.min(MOST_OUTPUT, spare - 4) })
  return [...head, ...above, ...services, ...output, ...below, ...foot].join('\n')
}

/** `pakashop/production #12  3f9c2a1 Coupon: round half up` and the time at the right. */
function title(view: ReleaseView, { width, now }: FrameOptions, { bold, dim, cyan }: Paint): string {
  const time = clock(now - view.requestedAt)
  const left = width - widthOf(time) - 1
  const name = fit(`${view.fleet}/${view.environment} #${view.number}`, left)
  const goal =
    view.goal === 'heal'
      ? `heal of ${view.host}`
      : view.goal === 'rollback'
        ? `rollback${view.to === undefined ? '' : ` to #${view.to}`}`
        : ''
  const commit = view.commit?.slice(0, 7) ?? ''
  const words = [goal, commit, view.subject ?? ''].filter((word) => word !== '').join(' ')
  const about = fit(words, Math.max(0, left - widthOf(name) - 2))
  const painted = about === '' ? '' : `  ${commit === '' ? about : about.replace(commit, cyan(commit))}`
  return `${bold(name)}${padEnd(painted, left - widthOf(name))} ${dim(time)}`
}

/** The ten steps; what is past, the one that is on, what is to come. */
function story(view: ReleaseView, { width, tick }: FrameOptions, { bold, dim, green, red, yellow }: Paint): string {
  const undone =
    view.phase === 'undo' || (view.ended !== undefined && !['kept', 'unchanged'].includes(view.ended.outcome))
  const at = placeInStory(view.reached)
  const over = view.ended !== undefined && !undone
  const words = STORY.map((phase, index) => {
    if (index < at || (index === at && over)) return { text: phase, paint: green }
    if (index > at) return { text: phase, paint: dim }
    return undone ? { text: `✗${phase}`, paint: red } : { text: `▸${phase}`, paint: bold }
  })
  const tail = view.phase === 'undo' ? [{ text: `${wheel(tick)} undo`, paint: yellow }] : []
  const gap = width >= 90 ? '   ' : '  '
  const all = [...words, ...tail]
  const columns = all.reduce((sum, { text }) => sum + widthOf(text) + gap.length, -gap.length)
  // In a narrow terminal what is past makes room for what is on.
  return joined(columns > width ? all.slice(Math.max(0, at - 1)) : all, gap, width)
}

interface Word {
  readonly text: string
  readonly paint: (text: string) => string
}

/** As many words as fit, from the first one on. */
function joined(words: readonly Word[], gap: string, width: number): string {
  const shown: string[] = []
  let columns = 0
  for (const { text, paint } of words) {
    columns += widthOf(text) + (shown.length === 0 ? 0 : gap.length)
    if (columns > width) break
    shown.push(paint(text))
  }
  return shown.join(gap)
}

interface Output {
  readonly width: number
  readonly lines: number
  readonly paints: Paint
}

function outputLines(view: ReleaseView, { width, lines, paints }: Output): string[] {
  const kept = lines > 0 && view.ended === undefined ? view.output.slice(-lines) : []
  if (kept.length === 0) return []
  const names = Math.max(...kept.map(({ service }) => widthOf(service)))
  return ['', ...kept.map(({ service, line }) => paints.dim(fit(`  ${padEnd(service, names)} │ ${line}`, width)))]
}

function footer(view: ReleaseView, options: FrameOptions, paints: Paint): string[] {
  const { width, now, tick } = options
  const { dim, yellow } = paints
  if (view.link === 'lost')
    return [yellow(fit(`${wheel(tick)} the control plane does not answer; the release goes on with it`, width))]
  if (view.link === 'cancelling')
    return [
      yellow(fit(`${wheel(tick)} cancelling: going back to what was live.  Ctrl-C again leaves it to itself`, width)),
    ]
  if (view.ended !== undefined) return []
  if (view.waiting !== undefined && view.phase === 'queued') {
    const { for: other, actor, since } = view.waiting
    return [
      yellow(
        fit(
          `${wheel(tick)} waits for release ${other} by ${oneLine(actor)}, under way for ${duration(now - since)}`,
          width,
        ),
      ),
    ]
  }
  if (view.watch !== undefined && view.phase === 'verify') return [watchLine(view, width, paints)]
  if (view.note !== undefined && view.resumed) return [fit(`${wheel(tick)} ${view.note}`, width)]
  return [dim(fit('Ctrl-C cancels the release and goes back to what was live', width))]
}

const BAR = 16

function watchLine(view: ReleaseView, width: number, { dim, green, red, yellow }: Paint): string {
  const { requests, failed, rescued, remainingMs } = view.watch!
  const done = view.watchMs === 0 ? BAR : Math.round((BAR * (view.watchMs - remainingMs)) / view.watchMs)
  const bar = green('█'.repeat(done)) + dim('░'.repeat(BAR - done))
  const parts = [
    { text: `${duration(remainingMs)} left`, paint: (text: string) => text },
    { text: counted(requests, 'request'), paint: (text: string) => text },
    { text: `${number(failed)} failed`, paint: failed > 0 ? red : dim },
    { text: `${number(rescued)} rescued`, paint: rescued > 0 ? yellow : dim },
  ]
  if (width < 2 * BAR) return joined(parts, '  ', width)
  return `watch ${bar}  ${joined(parts, '  ', width - BAR - 8)}`
}

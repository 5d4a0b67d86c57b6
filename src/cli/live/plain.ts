import type { EventBody, ReleaseEvent } from '../../release/records.ts'
import { duration, number } from '../text/time.ts'
import { oneLine, padStart } from '../text/width.ts'
import type { ReleaseView } from './state.ts'

/**
 * What an event is worth where nothing can be redrawn: a line for each change of state, none twice.
 * @param view the release as it was before the event
 */
export function plainLines(
  view: ReleaseView,
  { at, body }: Pick<ReleaseEvent, 'at' | 'body'>,
  options: { readonly verbose: boolean },
): string[] {
  const time = `[${padStart(((at - view.requestedAt) / 1000).toFixed(1), 6)}s] `
  return wordsOf(view, body, options.verbose).map((words) => time + words)
}

function wordsOf(view: ReleaseView, body: EventBody, verbose: boolean): string[] {
  switch (body.kind) {
    case 'phase':
      return body.phase === view.phase || body.phase === 'ended'
        ? []
        : [`${body.phase}${body.detail === undefined ? '' : `: ${oneLine(body.detail)}`}`]
    case 'service':
      return serviceWords(view, body)
    case 'plan': {
      const { add, change, remove, same } = body.counts
      return [`+ ${add}  ~ ${change}  - ${remove}  = ${same}  ${body.hash.slice(0, 12)}`]
    }
    case 'waiting':
      return [`waits for release ${body.for} by ${oneLine(body.actor)}`]
    case 'output':
      return verbose ? [`${body.service} | ${oneLine(body.line)}`] : []
    case 'note':
      return [oneLine(body.text)]
    case 'resumed':
      return [`taken up by ${oneLine(body.worker)} where it was`]
    case 'switched':
      return [`switched ${body.services} on ${body.host} in ${Math.round(body.ms)} ms`]
    case 'watch':
      return watchWords(view, body)
    default:
      return []
  }
}

function serviceWords(view: ReleaseView, body: Extract<EventBody, { kind: 'service' }>): string[] {
  const known = view.services.get(body.service)
  if (known?.hosts.get(body.host ?? '') === body.state) return []
  const where = body.host === undefined || body.host === 'local' ? '' : ` on ${body.host}`
  const took = body.ms === undefined ? '' : ` after ${duration(body.ms)}`
  return [
    `${body.service}${where}: ${body.state}${took}${body.detail === undefined ? '' : `: ${oneLine(body.detail)}`}`,
  ]
}

/** The first, the last, and every one that says something new about failures. */
function watchWords(view: ReleaseView, body: Extract<EventBody, { kind: 'watch' }>): string[] {
  const before = view.watch
  const news = before === undefined || before.failed !== body.failed || before.rescued !== body.rescued
  if (!news && (body.remainingMs > 0 || before.remainingMs <= 0)) return []
  const { requests, failed, rescued, remainingMs } = body
  return [
    `watch: ${number(requests)} requests, ${number(failed)} failed, ${number(rescued)} rescued, ${duration(remainingMs)} left`,
  ]
}

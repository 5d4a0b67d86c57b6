import type { ReleaseDocument } from '../../release/documents.ts'
import type { ReleaseOutcome } from '../../release/records.ts'
import { problemLines } from '../cli.ts'
import { counted, duration, number } from '../text/time.ts'
import type { Paint } from '../text/paint.ts'
import { fit, oneLine } from '../text/width.ts'
import type { ReleaseView } from './state.ts'

export interface SummaryOptions {
  readonly width: number
  readonly paints: Paint
}

const LAST_LINES = 12

/** How a release ended, in words: what is live now, what it cost, and what to type next. */
export function summary(view: ReleaseView, release: ReleaseDocument, { width, paints }: SummaryOptions): string {
  const outcome = release.outcome ?? view.ended?.outcome
  if (outcome === undefined) return ''
  const { problems } = release
  const parts = [
    headline(outcome, release, paints),
    ...facts(outcome, view, release).map((fact) => `  ${fact}`),
    ...(problems.length > 0 ? [problemLines(problems, paints)] : []),
    ...lastWords(outcome, view, release, { width, paints }),
    ...next(outcome, release).map((hint) => paints.dim(`  ${hint}`)),
  ]
  return parts.join('\n')
}

function headline(outcome: ReleaseOutcome, release: ReleaseDocument, { bold, green, red, yellow, dim }: Paint): string {
  const name = `release ${release.number} of ${release.fleet}/${release.environment}`
  const commit = [release.commit?.slice(0, 7), release.subject]
    .filter((word) => word !== undefined)
    .map(oneLine)
    .join(' ')
  if (release.goal === 'heal' && (outcome === 'kept' || outcome === 'unchanged')) {
    const host = `host ${release.host} of ${release.fleet}/${release.environment} runs what is live`
    return outcome === 'kept' ? `${green('✓')} ${bold(host)}` : `${green('=')} ${bold(host)} already`
  }
  switch (outcome) {
    case 'kept':
      return `${green('✓')} ${bold(`${name} is live`)}${commit === '' ? '' : dim(`  ${commit}`)}`
    case 'unchanged':
      return `${green('=')} ${bold('nothing changed')}: ${release.fleet}/${release.environment} runs exactly this already; nothing was touched`
    case 'refused':
      return `${red('✗')} ${bold(`${name} is refused`)}; nothing was changed`
    case 'restored':
      return `${red('✗')} ${bold(`${name} failed`)}; what was live before is live`
    case 'cancelled':
      return `${yellow('○')} ${bold(`${name} is cancelled`)}; what was live before is live`
  }
  return `${red('✗')} ${bold(red(`${name} failed, and what was live before could not be restored: hands are needed`))}`
}

function facts(outcome: ReleaseOutcome, view: ReleaseView, release: ReleaseDocument): string[] {
  const start = release.startedAt ?? release.requestedAt
  const lines: string[] = []
  const { counts } = release.plan ?? view.plan ?? {}
  if (outcome === 'kept' && counts !== undefined) {
    lines.push(
      `${number(counts.add + counts.change)} new or changed, ${number(counts.same)} untouched, ${number(counts.remove)} removed`,
    )
  }
  const switched = release.switchedAt ?? view.switchedAt
  const times = [
    ...(outcome === 'kept' && switched !== undefined ? [`live after ${duration(switched - start)}`] : []),
    ...(release.endedAt === undefined ? [] : [`ended after ${duration(release.endedAt - start)}`]),
  ]
  if (times.length > 0) lines.push(times.join(', '))
  if (
    release.traffic !== undefined &&
    release.traffic.requests > 0 &&
    outcome !== 'unchanged' &&
    outcome !== 'refused'
  ) {
    const { requests, failed, rescued } = release.traffic
    lines.push(`${counted(requests, 'request')} meanwhile: ${number(failed)} failed, ${number(rescued)} rescued`)
  }
  return lines
}

/** The last output of the services that failed, so that nobody has to look for it. */
function lastWords(
  outcome: ReleaseOutcome,
  view: ReleaseView,
  release: ReleaseDocument,
  { width, paints }: SummaryOptions,
): string[] {
  if (outcome !== 'restored' && outcome !== 'broken') return []
  const failed = failedServices(view, release)
  const lines = view.output.filter(({ service }) => failed.includes(service)).slice(-LAST_LINES)
  return lines.map(({ service, line }) => paints.dim(fit(`  ${service} │ ${line}`, width)))
}

function failedServices(view: ReleaseView, release: ReleaseDocument): string[] {
  // `service beta`, or its slot on a host: `host web-1, beta.b`.
  const told = release.problems.flatMap(
    ({ where }) => /(?:^service |, )([a-z][a-z0-9-]*)(?:\.[ab])?$/.exec(where.at ?? '')?.[1] ?? [],
  )
  const seen = [...view.services.values()].filter(({ state }) => state === 'failed').map(({ name }) => name)
  return [...new Set([...told, ...seen])]
}

function next(outcome: ReleaseOutcome, release: ReleaseDocument): string[] {
  const { environment, number } = release
  switch (outcome) {
    case 'kept':
      return [
        ...(release.without ?? []).map((host) => `once ${host} is back:  drover hosts heal ${environment} ${host}`),
        ...(release.goal === 'heal' ? [] : [`go back:  drover rollback ${environment}`]),
      ]
    case 'restored':
      return [`look:  drover release ${environment} ${number} -v`]
    case 'broken':
      return [`look:  drover status ${environment}    drover release ${environment} ${number} -v`]
    default:
      return []
  }
}

import type { Counts } from '../../demo/traffic-record.ts'
import { SCENARIOS } from './scenarios.ts'
import type { Figure, Scenario } from './scenarios.ts'
import type { Observed } from './observe.ts'

/** What one act came to, with the requests of its time; without them where there was nothing to ask yet. */
export interface Measured extends Observed {
  readonly requests?: Counts
}

export interface MeasuredFigure extends Omit<Figure, 'rounds' | 'recovery'> {
  readonly rounds: readonly Measured[]
  readonly recovery?: Measured
}

const BAD: readonly Scenario[] = ['never ready', 'exits at start']
const NONE = '–'

/** How many services have to be started anew, whatever the tool. */
const NEEDED: Readonly<Partial<Record<Scenario, number>>> = {
  'one service changed': 1,
  'nothing changed': 0,
  'all 19 changed': 19,
  'roll back, old stopped': 19,
  'roll back, old still running': 0,
}

type Cell = (figure: MeasuredFigure) => string

/** The tables in Markdown. Ratios are to the contestant `limit`, which ran in the same hour on the same machine. */
export function report(figures: readonly MeasuredFigure[]): string {
  const limitOf = (scenario: Scenario): MeasuredFigure | undefined =>
    figures.find((figure) => figure.contestant === 'limit' && figure.scenario === scenario)
  const ratio: Cell = (figure) => {
    const limit = limitOf(figure.scenario)
    return limit === undefined ? NONE : `${(middle(wall(figure)) / middle(wall(limit))).toFixed(2)} ×`
  }
  const good = figures.filter(({ scenario }) => !BAD.includes(scenario))
  const longer = good.filter(({ rounds }) => rounds.some(({ endSeconds }) => endSeconds !== undefined))
  const underLoad = good.filter(({ rounds }) => rounds.some(({ requests }) => (requests?.sent ?? 0) > 0))
  return [
    table('wall time, s: median [least to most]', good, (figure) => `${range(wall(figure))}${exits(figure)}`),
    table(
      'times the limit',
      good.filter(({ scenario }) => limitOf(scenario) !== undefined),
      ratio,
    ),
    table('to the end of a command that goes on after the switch, s', longer, ({ rounds }) =>
      range(rounds.map((each) => each.endSeconds ?? each.seconds)),
    ),
    table('failed requests', underLoad, ({ rounds }) => failed(rounds)),
    table(
      'services served by another process than before',
      underLoad,
      ({ rounds, scenario }) => `${spread(rounds.map((each) => each.restarted))} (needed ${NEEDED[scenario]})`,
    ),
    ...BAD.map((scenario) => badTable(figures.filter((figure) => figure.scenario === scenario))),
  ]
    .filter((text) => text !== '')
    .join('\n\n')
}

/** A row for each scenario and a column for each contestant that has a figure; empty when there is none. */
function table(title: string, figures: readonly MeasuredFigure[], cell: Cell): string {
  const contestants = contestantsOf(figures)
  const scenarios = SCENARIOS.filter((scenario) => figures.some((figure) => figure.scenario === scenario))
  if (scenarios.length === 0) return ''
  const rows = scenarios.map((scenario) => [
    scenario,
    ...contestants.map((contestant) => {
      const figure = figures.find((each) => each.contestant === contestant && each.scenario === scenario)
      return figure === undefined ? NONE : cell(figure)
    }),
  ])
  return grid([title, ...contestants], rows)
}

function contestantsOf(figures: readonly MeasuredFigure[]): string[] {
  return [...new Set(figures.map(({ contestant }) => contestant))]
}

/** A release that should have gone well and did not. */
function exits({ rounds }: MeasuredFigure): string {
  const codes = [...new Set(rounds.flatMap(({ exitCode }) => (exitCode === 0 ? [] : [exitCode])))]
  return codes.length === 0 ? '' : ` **exit ${codes.join(', ')}**`
}

/** What was built on this machine before the first deploy of others is left out of it here too. */
function wall({ scenario, rounds }: MeasuredFigure): number[] {
  return rounds.map(({ seconds, buildSeconds = 0 }) => seconds - (scenario === 'first deploy' ? buildSeconds : 0))
}

/** What a bad release and the recovery from it came to; empty when nobody was tried. */
function badTable(figures: readonly MeasuredFigure[]): string {
  const scenario = figures[0]?.scenario
  if (scenario === undefined) return ''
  const row = (title: string, cell: (bad: Measured, recovery: Measured | undefined) => string): string[] => [
    title,
    ...figures.map(({ rounds, recovery }) => cell(rounds[0]!, recovery)),
  ]
  const title = `a service that ${scenario === 'never ready' ? 'never becomes ready' : 'exits at start'}`
  return grid(
    [title, ...contestantsOf(figures)],
    [
      row('exit code', (bad) => String(bad.exitCode)),
      row('took, s', (bad) => (bad.endSeconds ?? bad.seconds).toFixed(1)),
      row('failed requests', (bad) => failed([bad])),
      row('services served by another process than before', (bad) => String(bad.restarted)),
      row('services ready afterwards', (bad) => `${bad.ready} of 19`),
      row('recovery: exit code, s', (_, again) =>
        again ? `${again.exitCode}, ${again.seconds.toFixed(1)}` : 'nothing to do',
      ),
      row('failed requests in the recovery', (_, again) => (again ? failed([again]) : NONE)),
      row('services ready after the recovery', (bad, again) => `${(again ?? bad).ready} of 19`),
    ],
  )
}

function failed(rounds: readonly Measured[]): string {
  const all = rounds.flatMap(({ requests }) => requests ?? [])
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return `${sum(all.map(({ failed }) => failed))} of ${sum(all.map(({ sent }) => sent))}`
}

/** A table of Markdown: the first column to the left, numbers to the right. */
export function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

export function range(seconds: readonly number[]): string {
  const text = middle(seconds).toFixed(2)
  return seconds.length < 2
    ? text
    : `${text} [${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}]`
}

function spread(counts: readonly number[]): string {
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return least === most ? String(least) : `${least} to ${most}`
}

import type { Row } from './cell.ts'
import { FAULTS } from './cells.ts'
import type { Fault } from './cells.ts'

/** One line while the matrix runs. */
export function rowLine({ cell, victim, end, outcome, seconds, failure }: Row): string {
  const place = [cell.point, ...(victim === undefined ? [] : [`(${victim})`])].join(' ')
  const what = [cell.fault, ...(cell.how === undefined ? [] : [`(${cell.how})`])].join(' ')
  const said = failure === undefined ? `${outcome}, ${seconds.toFixed(1)} s` : failure.what
  return `${end.padEnd(7)}  ${cell.hosts} × ${what}  ${place}: ${said}`
}

/** How many of each end there are, in one line. */
export function summary(rows: readonly Row[]): string {
  const count = (end: Row['end']): number => rows.filter((row) => row.end === end).length
  const hands = rows.reduce((sum, row) => sum + row.hands, 0)
  return `${rows.length} cells: ${count('new')} wholly new, ${count('old')} wholly old, ${count('neither')} neither; hands needed: ${hands}`
}

const TITLES: Readonly<Record<Fault, string>> = {
  kill: 'kill -9 of the control plane, started again',
  power: 'Power cut of a host, given back when Drover has ended the release without it',
  network: 'Network cut of a host, healed when Drover has ended the release without it',
  race: 'Two control planes on one database',
  clock: 'Clock jumps',
}

const PREFACE = `# The crash matrix

\`make matrix\` (\`node test/story/matrix/main.ts\`) does to releases on hosts of the lab, with real systemd over SSH, what can be done to them, one fault in
each, and then has the hosts say what became of it: nginx's links and markers, systemd's units, the processes and the bytes in their folders, what each
service answers on its stable port on each host, what lies half-made, what a boot would start, and how often there is what must not run twice. Nothing of
that is read from Drover's records. A release ends **old** or **new**, wholly, on all hosts that can be reached, and on all once all can; everything else is
**neither**, a failure. Three services, one of which must not run twice; of three hosts it runs on the middle one.

A cell says how it ended, how long Drover took from the fault on (with the outage itself, where there was one), and how often a person had to do anything
beside starting Drover again, giving a host its power or healing its line. A host that gets its power back has 20 s to boot before it is looked at, as systemd starts
again what died because another was not up yet. In brackets the host that was cut. The points are the steps of a release, before their
beginning and before their end is recorded, and moments within; they are found by a release without a fault, so that a new step has its cells at once. In the tables of
power and network a point \`…:before\` is a cut in the midst of that step.

Clocks: Drover's own is shifted in its process, for good until the release has ended; the database's by making all that was noted before so much older. A
host's cannot jump, since the kernel of this machine has one clock for all; nor can timers, which are of another clock, here as on every Linux.`

/** The matrix as a page: for each fault a table, a line for each step, a column for each number of hosts. */
export function page(rows: readonly Row[]): string {
  const counts = [...new Set(rows.map(({ cell }) => cell.hosts))].toSorted((one, other) => one - other)
  const tables = FAULTS.filter((fault) => rows.some(({ cell }) => cell.fault === fault)).map((fault) =>
    faultTable(
      fault,
      rows.filter(({ cell }) => cell.fault === fault),
      counts,
    ),
  )
  return [PREFACE, summary(rows), ...tables].join('\n\n')
}

function faultTable(fault: Fault, rows: readonly Row[], counts: readonly number[]): string {
  const lines = Map.groupBy(rows, ({ cell }) => [cell.how, cell.point].filter((word) => word !== undefined).join(', '))
  const head = ['step', ...counts.map((count) => `on ${count} host${count === 1 ? '' : 's'}`)]
  const body = [...lines].map(([step, cells]) => [
    `\`${step}\``,
    ...counts.map((count) => cellText(cells.find(({ cell }) => cell.hosts === count))),
  ])
  const table = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`)
  return [`## ${TITLES[fault]}`, '', summary(rows), '', ...table].join('\n')
}

function cellText(row: Row | undefined): string {
  if (row === undefined) return ''
  if (row.end === 'neither') return '**neither**'
  const where = row.victim === undefined ? '' : ` (${row.victim})`
  return `${row.end}, ${row.seconds.toFixed(1)} s, ${row.hands}${where}`
}

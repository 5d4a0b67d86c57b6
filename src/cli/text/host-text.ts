import type { BootstrapPlan, HostReport } from '../../release/host-operations.ts'
import { problemLines } from '../cli.ts'
import { hanging } from './hanging.ts'
import type { Paint } from './paint.ts'
import { table } from './table.ts'
import type { Cell } from './table.ts'
import { counted } from './time.ts'
import { oneLine, padEnd } from './width.ts'

export interface HostTextOptions {
  readonly width: number
  readonly paints: Paint
}

type Item = BootstrapPlan['items'][number]

/** One line for each host. */
export function hostsTable(reports: readonly HostReport[], { width, paints }: HostTextOptions): string {
  const columns = [
    { title: 'HOST', least: 6 },
    { title: 'LOGIN', least: 10 },
    { title: 'LABELS', least: 6 },
    { title: 'ENVIRONMENTS', least: 6 },
    { title: 'SYSTEM' },
    { title: 'HELPER', align: 'right' },
    { title: 'FREE', align: 'right' },
    { title: 'STATE' },
  ] as const
  const rows = reports.map((report): (string | Cell)[] => [
    report.name,
    report.destination ?? 'this machine',
    report.labels.join(', '),
    report.environments.join(', '),
    shortSystem(report.os ?? ''),
    report.helper === undefined ? '' : String(report.helper),
    report.freeBytes === undefined ? '' : gigabytes(report.freeBytes),
    stateCell(report, paints),
  ])
  return table(columns, rows, { width, head: paints.dim })
}

/** Why a host cannot be used, where it is not simply away. */
const REFUSALS: Readonly<Record<string, string>> = {
  'hosts/ssh-denied': 'refuses our keys',
  'hosts/ssh-key-unknown': 'its key is unknown',
  'hosts/ssh-key-changed': 'its key has changed',
}

function stateCell({ reachable, ready, items, problems }: HostReport, { green, yellow, red }: Paint): Cell {
  if (!reachable) return { text: REFUSALS[problems[0]?.code ?? ''] ?? 'away', paint: red }
  if (ready) return { text: 'ready', paint: green }
  const names = items.filter(({ sign }) => sign !== 'same').map(({ name }) => name)
  return names.length > 3
    ? { text: `lacks ${names.length} things`, paint: yellow }
    : { text: `lacks ${names.join(', ')}`, paint: yellow }
}

/** Everything about one host, a line each. */
export function hostText(report: HostReport, { width, paints }: HostTextOptions): string {
  const head = [paints.bold(oneLine(report.name)), report.destination ?? 'this machine', systemOf(report)]
  const lines = [head.filter((part) => part !== '').join('  ')]
  if (!report.reachable) return [...lines, indented(problemLines(report.problems, paints))].join('\n')
  const names = namesWidth(report.items)
  for (const { name, sign, what, why, hint } of report.items) {
    const mark = sign === 'same' ? paints.green('✓') : paints.red('✗')
    const text = sign === 'same' || why === undefined ? what : `${what}: ${why}`
    const [first = '', ...rest] = hanging(`    ${padEnd(name, names)}  `, oneLine(text), width)
    lines.push(`  ${mark}${first.slice(3)}`, ...rest)
    if (hint !== undefined) lines.push(...hanging('    HINT: ', oneLine(hint), width).map(paints.dim))
  }
  return lines.join('\n')
}

const SIGNS = { add: '+', change: '~', same: '=', cannot: '!' } as const

/** A plan for a person: what changes, each with its sign and why; what stays, in one line. */
export function bootstrapText(plan: BootstrapPlan, { width, paints }: HostTextOptions): string {
  const system = [shortSystem(plan.os), plan.machine].filter((part) => part !== '').join(', ')
  const lines = [[paints.bold(plan.host), plan.destination, system].join('  ')]
  const same = plan.items.filter(({ sign }) => sign === 'same')
  const others = plan.items.filter(({ sign }) => sign !== 'same')
  const names = namesWidth(others)
  for (const item of others) lines.push(...itemLines(item, { names, width, paints }))
  if (same.length > 0) {
    lines.push(...hanging('= ', `as it should be: ${same.map(({ name }) => name).join(', ')}`, width).map(paints.dim))
  }
  // Who has read it once need not read it with every change.
  const advice = others.some(({ sign }) => sign === 'add') ? plan.advice : []
  for (const sentence of advice) lines.push(...hanging('  ', oneLine(sentence), width).map(paints.dim))
  return lines.join('\n')
}

interface ItemOptions extends HostTextOptions {
  readonly names: number
}

function itemLines({ name, sign, what, why, hint }: Item, { names, width, paints }: ItemOptions): string[] {
  const paint = { add: paints.green, change: paints.yellow, same: paints.dim, cannot: paints.red }[sign]
  const text = why === undefined ? what : `${what} (${why})`
  const [first = '', ...rest] = hanging(`${SIGNS[sign]} ${padEnd(name, names)}  `, oneLine(text), width)
  const hints = hint === undefined ? [] : hanging('  HINT: ', oneLine(hint), width).map(paints.dim)
  return [paint(first.slice(0, 1)) + first.slice(1), ...rest, ...hints]
}

/** What a look has found, in a few words: `Debian 12, x86_64, 7.7 GB free`. */
export function systemOf({ os = '', machine = '', freeBytes }: HostReport): string {
  const free = freeBytes === undefined ? '' : `${gigabytes(freeBytes)} free`
  return [shortSystem(os), machine, free].filter((part) => part !== '').join(', ')
}

/** `Debian GNU/Linux 12 (bookworm)` as everybody calls it. */
function shortSystem(os: string): string {
  return oneLine(os.replace('GNU/Linux ', '').replace(/ \([^)]*\)$/, ''))
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`
}

/** `2 of 3 hosts are ready`. */
export function readyText(reports: readonly HostReport[]): string {
  const ready = reports.filter((report) => report.ready).length
  if (ready === reports.length) return `${counted(ready, 'host')} ${ready === 1 ? 'is' : 'are'} ready`
  return `${ready} of ${counted(reports.length, 'host')} ${ready === 1 ? 'is' : 'are'} ready`
}

function namesWidth(items: readonly Item[]): number {
  return Math.max(...items.map(({ name }) => name.length), 0)
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}

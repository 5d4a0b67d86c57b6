import type { PlanDocument } from '../../release/documents.ts'
import { paintSymbol } from '../live/service-lines.ts'
import type { Paint } from './paint.ts'
import { number } from './time.ts'
import { fit, oneLine, padEnd, widthOf } from './width.ts'

const SYMBOLS = { add: '+', change: '~', remove: '-', same: '=' } as const

/** A plan for a person: each service with its sign and why, the count, and the hash to hold a deploy to it. */
export function planText(
  plan: PlanDocument,
  { width, paints }: { readonly width: number; readonly paints: Paint },
): string {
  const { counts } = plan
  const names = Math.max(...plan.services.map(({ service }) => widthOf(service)), 0)
  const lines = plan.services.map(({ service, change, reasons, artifact }) => {
    const symbol = SYMBOLS[change]
    const unbuilt =
      artifact === undefined && (change === 'add' || change === 'change') ? [...reasons, 'to be built'] : reasons
    const text = fit(`${symbol} ${padEnd(service, names)}  ${unbuilt.map(oneLine).join(', ')}`.trimEnd(), width)
    return change === 'same' ? paints.dim(text) : paintSymbol(symbol, paints) + text.slice(1)
  })
  const total = `+ ${number(counts.add)} to add, ~ ${number(counts.change)} to change, - ${number(counts.remove)} to remove, = ${number(counts.same)} unchanged`
  const nothing = `${paints.green('=')} ${paints.bold('nothing changed')}: ${plan.fleet}/${plan.environment} runs exactly this already`
  const verdict = changes(plan) ? [total, paints.dim(`plan ${plan.hash}`)] : [nothing]
  const hosts = [...leftOut(plan, paints), ...repairs(plan, paints), ...batches(plan)].map((line) => fit(line, width))
  const gap = (before: readonly string[]): string[] => (before.length > 0 ? [''] : [])
  return [...lines, ...gap(lines), ...hosts, ...gap(hosts), ...verdict].join('\n')
}

function leftOut({ leftOut: hosts = [] }: PlanDocument, { yellow, red }: Paint): string[] {
  return hosts.map(({ host, why, detail }) =>
    why === 'away'
      ? red(`✗ host ${host} is away, so this is refused: ${oneLine(detail ?? 'no answer')}`)
      : yellow(`! host ${host} is left out, and is sent nothing until it is healed`),
  )
}

function repairs({ repairs: hosts = [] }: PlanDocument, { yellow }: Paint): string[] {
  return hosts.map(({ host, reasons }) => `${yellow('~')} host ${host}: ${reasons.map(oneLine).join(', ')}`)
}

function batches({ batches: all = [] }: PlanDocument): string[] {
  if (all.length === 0) return []
  return [`  one batch of hosts after the other: ${all.map((batch) => batch.join(', ')).join(' → ')}`]
}

/** Whether carrying it out would do anything. */
export function changes(plan: PlanDocument): boolean {
  return plan.stepCount > 0
}

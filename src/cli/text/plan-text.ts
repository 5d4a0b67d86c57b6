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
  return [...lines, ...(lines.length > 0 ? [''] : []), ...verdict].join('\n')
}

/** Whether carrying it out would do anything. */
export function changes(plan: PlanDocument): boolean {
  return plan.stepCount > 0
}

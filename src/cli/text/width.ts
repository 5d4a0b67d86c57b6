import { createRequire } from 'node:module'
import type stringWidth from 'string-width'
import { printable } from '../../problem/problem.ts'

/** Letters of Latin alphabets, lines, arrows, ticks and crosses: each takes one column. */
const PLAIN = /^[\x20-\x7e\u00a0-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f\u2713-\u2718\u2800-\u28ff]*$/

const load = createRequire(import.meta.url)
let graphemes: Intl.Segmenter | undefined

/** One line of harmless text: control characters are shown, tabs and line breaks become spaces. */
export function oneLine(text: string): string {
  return printable(text.replace(/[\t\n\r]+/g, ' '))
}

/** Columns that the text takes in a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  // Loaded only for text that needs it: its tables take a tenth of a second.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a package with one default export
  return (load('string-width') as { default: typeof stringWidth }).default(text)
}

/** At most `width` columns; what was cut off is shown by `…`. For text without colours. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width <= 0) return ''
  let kept = ''
  let columns = 0
  for (const { segment } of (graphemes ??= new Intl.Segmenter()).segment(text)) {
    const wider = columns + widthOf(segment)
    if (wider > width - 1) break
    kept += segment
    columns = wider
  }
  return `${kept}…`
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text
}

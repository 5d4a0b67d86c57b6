import stringWidth from 'string-width'
import { printable } from '../../problem/problem.ts'

const graphemes = new Intl.Segmenter()

/** One line of harmless text: control characters are shown, tabs and line breaks become spaces. */
export function oneLine(text: string): string {
  return printable(text.replace(/[\t\n\r]+/g, ' '))
}

/** Columns that the text takes in a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** At most `width` columns; what was cut off is shown by `…`. For text without colours. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width <= 0) return ''
  let kept = ''
  let columns = 0
  for (const { segment } of graphemes.segment(text)) {
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

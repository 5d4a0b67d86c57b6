import { fit, oneLine, widthOf } from './width.ts'

export interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Gives way first, the first of these before the second, when the terminal is too narrow; never below `least` columns. */
  readonly least?: number
}

const GAP = '  '

/** Rows in aligned columns, at most `width` wide; a column in which nothing stands is left out. Control characters are shown. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly (string | Cell)[])[],
  options: { readonly width: number; readonly head?: (text: string) => string },
): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: oneLine(cell) } : { ...cell, text: oneLine(cell.text) })),
  )
  const used = columns.map((_, index) => cells.some((row) => (row[index]?.text ?? '') !== ''))
  const kept = columns.filter((_, index) => used[index])
  const body = cells.map((row) => row.filter((_, index) => used[index]))
  const widths = shrunk(kept, natural(kept, body), options.width)
  const lines = [
    kept.map((column) => ({ text: column.title, ...(options.head === undefined ? {} : { paint: options.head }) })),
    ...body,
  ]
  return lines.map((row) => lineOf(row, kept, widths)).join('\n')
}

function natural(columns: readonly Column[], rows: readonly (readonly Cell[])[]): number[] {
  return columns.map((column, index) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[index]?.text ?? ''))),
  )
}

function shrunk(columns: readonly Column[], widths: readonly number[], width: number): number[] {
  const result = [...widths]
  const total = (): number => result.reduce((sum, each) => sum + each, 0) + GAP.length * (result.length - 1)
  for (const [index, { least }] of columns.entries()) {
    if (least === undefined) continue
    result[index] = Math.max(Math.min(least, result[index]!), result[index]! - Math.max(0, total() - width))
  }
  return result
}

function lineOf(row: readonly Cell[], columns: readonly Column[], widths: readonly number[]): string {
  const last = row.length - 1
  const parts = row.map(({ text, paint = (plain) => plain }, index) => {
    const width = widths[index]!
    const short = fit(text, width)
    const room = ' '.repeat(width - widthOf(short))
    if (columns[index]?.align === 'right') return room + paint(short)
    return index === last ? paint(short) : paint(short) + room
  })
  return parts.join(GAP).trimEnd()
}

import type { Row } from './tale.ts'

/** The table at the end: seconds from the request of a release to its switch and to its end, and what users got meanwhile. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ scene, traffic }) => [
    scene.title,
    scene.release?.outcome ?? scene.word ?? '-',
    scene.release?.switchedAt === undefined ? '-' : seconds(scene.release.switchedAt - scene.release.requestedAt),
    seconds(scene.to - scene.from),
    traffic === undefined ? '-' : String(traffic.sent),
    traffic === undefined ? '-' : String(traffic.failed),
    scene.release === undefined ? '-' : String(scene.release.rescued),
  ])
  const head = ['step', 'outcome', 'live after s', 'all s', 'requests', 'failed', 'rescued']
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)))
  const format = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')
  return [format(head), widths.map((width) => '─'.repeat(width)).join('  '), ...lines.map(format)].join('\n')
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}

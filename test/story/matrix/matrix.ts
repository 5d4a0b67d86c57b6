import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from '../../../lab/lab.ts'
import { makeReady } from '../../../lab/ready-host.ts'
import { randomFrom } from '../../journal/random.ts'
import { Arena } from './arena.ts'
import { runCell } from './cell.ts'
import type { Row } from './cell.ts'
import { cellsOf, pathsOf } from './cells.ts'
import type { Cell, Fault, Paths } from './cells.ts'

export interface MatrixOptions {
  readonly lab: Lab
  /** Numbers of hosts, each at most as many as the lab has. */
  readonly hosts: readonly number[]
  readonly faults: readonly Fault[]
  /** Only so many cells of each number of hosts, picked by the seed. */
  readonly sample?: number
  readonly seed: number
  /** Only cells whose fault, way and point contain this. */
  readonly only?: string
  /** Cells that have been run before are not run again. */
  readonly done?: readonly Row[]
  /** Nothing begins after this, `performance.now()`: a sample ends where its time does. */
  readonly until?: number
  /** What is found about a cell that failed goes here. */
  readonly evidence: string
  readonly say: (line: string) => void
  readonly onRow: (row: Row) => void
}

/** Runs the cells one after the other; each leaves the fleet as the next one needs it. */
export async function runMatrix(options: MatrixOptions): Promise<Row[]> {
  const { lab, hosts, say } = options
  await Promise.all(lab.hosts.map(makeReady))
  const rows: Row[] = []
  for (const count of hosts) {
    const machines = lab.hosts.slice(0, count)
    let arena: Arena | undefined
    try {
      arena = await Arena.open(machines)
      const cells = chosen(cellsOf(count, options.faults, await explore(arena)), options)
      say(`${count} host${count === 1 ? '' : 's'}: ${cells.length} cells`)
      for (const [turn, cell] of cells.entries()) {
        if (options.until !== undefined && performance.now() > options.until) break
        arena ??= await Arena.open(machines)
        const row = await runCell(arena, cell, turn)
        rows.push(row)
        options.onRow(row)
        if (row.failure === undefined) continue
        say(`everything about it: ${await keepEvidence(options.evidence, row)}`)
        // Nothing is certain on these hosts any more.
        await arena.close().catch((error: unknown) => say(`what it left stays: ${String(error)}`))
        arena = undefined
        for (const machine of machines) await machine.reset()
        await Promise.all(machines.map(makeReady))
      }
    } finally {
      await arena?.close()
    }
  }
  return rows
}

/** Which points there are is found out by releases without a fault, so that a step that is new has its cells at once. */
async function explore(arena: Arena): Promise<Paths> {
  const drover = await arena.drover()
  await drover.ask({ ask: 'reached' })
  arena.version = arena.next()
  await arena.commit(arena.version)
  const good = await arena.release(drover)
  const kept = await drover.ask<string[]>({ ask: 'reached' })
  await arena.commitBad(arena.next())
  const bad = await arena.release(drover)
  const undone = await drover.ask<string[]>({ ask: 'reached' })
  const verdict = await arena.judged({ versions: [arena.version] })
  if (good.outcome !== 'kept' || bad.outcome !== 'restored' || !('version' in verdict)) {
    throw new Error(`without a fault: ${JSON.stringify([good, bad, verdict])}`)
  }
  return pathsOf(kept, undone)
}

function chosen(cells: readonly Cell[], { only = '', done = [], sample, seed }: MatrixOptions): Cell[] {
  const past = new Set(done.map(({ cell }) => JSON.stringify(cell)))
  const wanted = cells
    .filter(({ fault, how = '', point }) => `${fault} ${how} ${point}`.includes(only))
    .filter((cell) => !past.has(JSON.stringify(cell)))
  if (sample === undefined) return wanted
  const random = randomFrom(seed)
  const left = [...wanted]
  return Array.from({ length: Math.min(sample, left.length) }, () => left.splice(random.between(0, left.length), 1)[0]!)
}

async function keepEvidence(folder: string, { cell, failure }: Row): Promise<string> {
  await mkdir(folder, { recursive: true })
  const name = [cell.hosts, cell.fault, cell.how ?? '', cell.point].join(' ').replaceAll(/[^\w+-]+/g, '_')
  const file = join(folder, `${name}.json`)
  await writeFile(file, JSON.stringify({ cell, ...failure }, null, 2))
  return file
}

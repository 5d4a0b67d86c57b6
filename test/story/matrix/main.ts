import { appendFileSync, existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openLab } from '../../../lab/lab.ts'
import type { Row } from './cell.ts'
import { FAULTS } from './cells.ts'
import type { Fault } from './cells.ts'
import { runMatrix } from './matrix.ts'
import { page, rowLine, summary } from './table.ts'

/**
 * The crash matrix, or a part of it:
 *
 *     node test/story/matrix/main.ts [--hosts 1,3] [--fault kill,power,network,race,clock] [--only <text>]
 *                                    [--sample <n>] [--seed <s>] [--write docs/crash-matrix.md] [--resume <file>]
 *
 * With --resume what the file tells of is not run again, and what is run is added to it: a matrix that was stopped goes on.
 */
const ROOT = join(import.meta.dirname, '../../..')

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1,3' },
    fault: { type: 'string', default: FAULTS.join(',') },
    only: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string' },
    write: { type: 'string' },
    resume: { type: 'string' },
  },
})
const hosts = values.hosts.split(',').map(Number)
const faults = values.fault.split(',').map((word): Fault => {
  const fault = FAULTS.find((each) => each === word)
  if (fault === undefined) throw new Error(`--fault is one or more of ${FAULTS.join(', ')}, got ${word}`)
  return fault
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const done = values.resume === undefined ? [] : await rowsIn(values.resume)

print(`seed ${seed}`)
const lab = await openLab({ hosts: Math.max(...hosts), say: print })
let rows: Row[]
try {
  rows = await runMatrix({
    lab,
    hosts,
    faults,
    seed,
    evidence: join(ROOT, '.cache/matrix'),
    say: print,
    onRow: (row) => {
      print(rowLine(row))
      if (values.resume !== undefined)
        appendFileSync(values.resume, `${JSON.stringify({ ...row, failure: row.failure?.what })}\n`)
    },
    done,
    ...(values.sample === undefined ? {} : { sample: Number(values.sample) }),
    ...(values.only === undefined ? {} : { only: values.only }),
  })
} finally {
  await lab.close()
}
rows = [...done, ...rows]
if (values.write !== undefined) await writeFile(values.write, `${page(rows)}\n`)
print(summary(rows))
process.exitCode = rows.length === 0 || rows.some(({ end }) => end === 'neither') ? 1 : 0

/** Those that need not be run again: what failed was looked into meanwhile. */
async function rowsIn(file: string): Promise<Row[]> {
  const text = existsSync(file) ? await readFile(file, 'utf8') : ''
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Row).filter(({ end }) => end !== 'neither')
}

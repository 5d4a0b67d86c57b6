import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { openLab } from '../../../lab/lab.ts'
import { labSkip } from '../../../lab/needs.ts'
import { randomFrom } from '../../journal/random.ts'
import { FAULTS } from './cells.ts'
import { runMatrix } from './matrix.ts'
import { rowLine } from './table.ts'

/** No cell begins later than this; the rest of the matrix is for `make matrix`. */
const BUDGET_MS = 100_000
const CELLS = 8

it(
  'a sample of the crash matrix ends wholly old or wholly new',
  { skip: await labSkip(), timeout: 900_000 },
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    const hosts = randomFrom(seed).pick([1, 3])
    const lab = await openLab({ hosts })
    t.after(() => lab.close())

    const rows = await runMatrix({
      lab,
      hosts: [hosts],
      faults: FAULTS,
      sample: CELLS,
      seed,
      until: performance.now() + BUDGET_MS,
      evidence: join(import.meta.dirname, '../../../.cache/matrix'),
      say: (line) => t.diagnostic(line),
      onRow: (row) => t.diagnostic(rowLine(row)),
    })

    assert.ok(rows.length > 0, 'no cell in that time')
    assert.deepEqual(rows.filter(({ end }) => end === 'neither').map(rowLine), [], 'hands are needed')
  },
)

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { formatProblem } from '../problem/problem.ts'
import { loadManifest } from './load.ts'

/**
 * Each case of `golden/*.txt` is a title, a manifest, and below `>>>` exactly what Drover says about it: nothing, or every
 * problem in order. `UPDATE_GOLDEN=1` writes what it says now; read the difference before you commit it.
 */
const FOLDER = join(import.meta.dirname, 'golden')

for (const file of readdirSync(FOLDER)) {
  describe(`golden ${file}`, () => {
    const cases = parseCases(readFileSync(join(FOLDER, file), 'utf8'))

    if (process.env['UPDATE_GOLDEN'] !== undefined) {
      it('is written anew', async () => {
        const texts = await Promise.all(
          cases.map(async ({ title, yaml }) => `=== ${title}\n${yaml}>>>\n${await complaintsAbout(yaml)}`),
        )
        writeFileSync(join(FOLDER, file), texts.join(''))
      })
      return
    }

    for (const { title, yaml, expected } of cases) {
      it(title, async () => {
        const actual = await complaintsAbout(yaml)

        assert.equal(actual, expected)
      })
    }
  })
}

async function complaintsAbout(yaml: string): Promise<string> {
  const { fleet, problems } = await loadManifest(yaml, { file: 'drover.yaml' })
  assert.equal(
    fleet === undefined,
    problems.some(({ severity }) => severity === 'error'),
    'a fleet and errors exclude each other',
  )
  return problems.map((problem) => `${formatProblem(problem)}\n`).join('')
}

function parseCases(text: string): { title: string; yaml: string; expected: string }[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const [head = '', expected = ''] = part.split(/^>>>\n/m)
      const end = head.indexOf('\n')
      return { title: head.slice(0, end), yaml: head.slice(end + 1), expected }
    })
}

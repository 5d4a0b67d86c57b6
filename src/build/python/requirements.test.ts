import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { buildService } from '../build-service.ts'
import type { BuildOrder } from '../build-service.ts'
import { refusalOf, startTrial, startedOutput } from '../trial.ts'
import type { Files, Trial, TrialOrder } from '../trial.ts'
import { pythonBuilder } from './builder.ts'
import { wheel } from './trial-wheel.ts'

const WHEEL = 'greet-1.0-py3-none-any.whl'
let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.end())

function order(files: Files, more: Omit<TrialOrder, 'builder' | 'files'> = {}): BuildOrder {
  const here = Object.fromEntries(Object.entries(files).map(([path, content]) => [`services/shop/${path}`, content]))
  return trial.order({
    builder: pythonBuilder,
    files: { [`services/shop/vendor/${WHEEL}`]: wheel('greet'), ...here },
    ...more,
  })
}

function installs(): number {
  return trial.lines.filter((line) => line.startsWith('$ pip install')).length
}

describe('dependencies of a Python service', () => {
  it('are refused where only Poetry could read them', async () => {
    const refusal = await refusalOf(
      buildService(order({ 'pyproject.toml': '[tool.poetry]\nname = "x"\n', 'app.py': '' })),
    )

    assert.equal(refusal.problems[0]?.code, 'build/poetry')
  })

  it('are none when there are none; a file that is no Python is told, and left', async () => {
    const main = 'import sys\nprint(sys.dont_write_bytecode)\n'
    const files = { 'requirements.txt': '# nothing\n', 'src/main.py': main, 'template.py': 'def {{ name }}:\n' }

    const { artifact } = await buildService(order(files))

    assert.equal(await startedOutput(artifact), 'True\n')
    assert.equal(installs(), 0)
    assert.ok(trial.lines.some((line) => line.includes('template.py')))
  })
})

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { join } from 'node:path'
import { readdir } from 'node:fs/promises'
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
  it('are installed once for the same requirements, programs included, and nothing is written when it runs', async () => {
    const files = { 'requirements.txt': `# ours\n./vendor/${WHEEL}\n`, 'main.py': 'import greet\nprint(greet.WORD)\n' }
    const first = await buildService(order(files))
    const second = await buildService(order(files, { service: { start: 'greet' } }))

    assert.equal(await startedOutput(first.artifact), 'hello from greet\n')
    assert.equal(await startedOutput(second.artifact), 'greet runs\n')
    assert.equal(installs(), 1)
    assert.equal(await trial.store.verify(first.artifact), true)
    assert.ok((await readdir(join(first.artifact.folder, 'services/shop/__pycache__'))).length > 0)
  })

  it('are read from pyproject.toml as well', async () => {
    const project = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["greet"]\n'
    process.env['PIP_NO_INDEX'] = '1'
    process.env['PIP_FIND_LINKS'] = 'vendor'

    const { artifact } = await buildService(
      order({ 'pyproject.toml': project, 'app.py': 'import greet\nprint(greet.WORD)\n' }),
    )
    delete process.env['PIP_NO_INDEX']
    delete process.env['PIP_FIND_LINKS']

    assert.equal(await startedOutput(artifact), 'hello from greet\n')
    assert.ok(trial.lines.some((line) => line.startsWith('warning: pyproject.toml: "greet" is not pinned')))
  })

  it('warn when they are not pinned, included files too', async () => {
    process.env['PIP_NO_INDEX'] = '1'
    const texts = {
      'requirements.txt':
        '-r more/base.txt\npinned==1.0 ; python_version > "3" # why\nloose>=2\nhashed==1 \\\n  --hash=sha256:00\n',
      'more/base.txt': 'wild==1.*\nbare\ngit+https://example.org/x.git@0123456789012345678901234567890123456789\n',
      'main.py': '',
    }

    const refusal = await refusalOf(buildService(order(texts)))
    delete process.env['PIP_NO_INDEX']

    const warned = trial.lines.filter((line) => line.startsWith('warning:')).map((line) => line.split('"')[1])
    assert.equal(refusal.problems[0]?.code, 'build/failed')
    assert.deepEqual(
      warned.toSorted((a = '', b = '') => (a < b ? -1 : 1)),
      ['bare', 'loose>=2', 'wild==1.*'],
    )
  })
})

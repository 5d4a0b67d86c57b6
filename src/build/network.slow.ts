import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { buildService } from './build-service.ts'
import { goBuilder } from './go/builder.ts'
import { nodeBuilder } from './node/builder.ts'
import { pythonBuilder } from './python/builder.ts'
import { layFiles, startTrial, startedOutput } from './trial.ts'
import type { Files, Trial } from './trial.ts'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.end())

/** Lets the language's own tool write its lockfile, as the service's author would have. */
async function lock(files: Files, file: string, command: readonly [string, ...string[]]): Promise<Files> {
  const folder = join(trial.folder, 'author')
  await mkdir(folder)
  await layFiles(folder, files)
  execFileSync(command[0], command.slice(1), { cwd: folder, stdio: 'pipe' })
  const locked = Object.fromEntries(
    [...Object.keys(files), file].map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  )
  return Object.fromEntries(Object.entries(locked).map(([path, content]) => [`services/shop/${path}`, content]))
}

describe('dependencies from the public registries', () => {
  it('of a Node service', async () => {
    const files = {
      'package.json': '{"dependencies":{"is-odd":"3.0.1"},"main":"x.js"}',
      'x.js': "console.log(require('is-odd')(3))\n",
    }
    const locked = await lock(files, 'package-lock.json', [
      'npm',
      'install',
      '--package-lock-only',
      '--no-audit',
      '--no-fund',
    ])

    const { artifact } = await buildService(trial.order({ builder: nodeBuilder, files: locked }))

    assert.equal(await startedOutput(artifact), 'true\n')
  })

  it('of a Go service', async () => {
    const main =
      'package main\n\nimport (\n\t"fmt"\n\n\t"github.com/google/uuid"\n)\n\nfunc main() { fmt.Println(uuid.Nil) }\n'
    const files = {
      'go.mod': 'module example.org/shop\n\ngo 1.19\n\nrequire github.com/google/uuid v1.6.0\n',
      'main.go': main,
    }
    const locked = await lock(files, 'go.sum', ['go', 'mod', 'tidy'])

    const { artifact } = await buildService(trial.order({ builder: goBuilder, files: locked }))

    assert.equal(await startedOutput(artifact), '00000000-0000-0000-0000-000000000000\n')
  })

  it('of a Python service, with a program and bytecode that are the same wherever they were installed', async () => {
    const files = {
      'services/shop/requirements.txt':
        'flask==3.0.3\nclick==8.1.7\nwerkzeug==3.0.4\njinja2==3.1.4\nitsdangerous==2.2.0\nblinker==1.8.2\nmarkupsafe==2.1.5\n',
      'services/shop/app.py': 'from flask import Flask\napp = Flask(__name__)\n',
    }
    const order = trial.order({ builder: pythonBuilder, files, service: { start: 'flask --version' } })
    const elsewhere = await startTrial()

    const { artifact } = await buildService(order)
    const second = await buildService({ ...order, store: elsewhere.store })
    await elsewhere.end()

    assert.match(await startedOutput(artifact), /Flask 3\.0\.3/)
    assert.equal(second.artifact.id, artifact.id)
    assert.equal(await trial.store.verify(artifact), true)
    assert.deepEqual(
      trial.lines.filter((line) => line.startsWith('warning')),
      [],
    )
  })
})

import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { scratchRepository } from '../../test/scratch-repository.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { openRepository } from '../source/repository.ts'
import { buildService, lookUp } from './build-service.ts'
import type { BuildOrder } from './build-service.ts'
import { commandBuilder } from './command/builder.ts'
import { refusalOf, startTrial, startedOutput } from './trial.ts'
import type { Trial, TrialOrder } from './trial.ts'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.end())

function order(
  build: string,
  more: Omit<TrialOrder, 'builder' | 'files'> & { readonly files?: TrialOrder['files'] } = {},
): BuildOrder {
  const files = more.files ?? { 'services/shop/readme': 'shop\n' }
  return trial.order({ builder: commandBuilder, ...more, files, service: { build, start: 'cat out', ...more.service } })
}

async function alive(pidFile: string): Promise<boolean> {
  const pid = Number(await readFile(pidFile, 'utf8'))
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function leftInTmp(): Promise<string[]> {
  return await readdir(join(trial.store.folder, 'tmp'))
}

describe('a build', () => {
  it('sees the service, its shared paths and a minimal environment', async () => {
    process.env['DROVER_TEST_WORD'] = 'word-of-drover'
    const files = {
      'services/shop/readme': 'shop\n',
      'packages/common/lib': 'lib\n',
      'services/shop/run': { program: '' },
      'services/shop/l': { link: 'readme' },
    }

    const { artifact } = await buildService(
      order('cat readme ../../packages/common/lib > out; env > vars', { files, shared: ['packages/common'] }),
    )
    delete process.env['DROVER_TEST_WORD']

    const variables = await readFile(join(artifact.folder, 'services/shop/vars'), 'utf8')
    assert.equal(await startedOutput(artifact), 'shop\nlib\n')
    assert.equal(artifact.cwd, 'services/shop')
    assert.doesNotMatch(variables, /word-of-drover/)
    assert.match(variables, /^TMPDIR=.*\/store\/tmp\//m)
    assert.equal((await stat(join(artifact.folder, 'services/shop/run'))).mode & 0o100, 0o100)
  })

  it('checks out what exists of its paths, from a real repository', async () => {
    const repository = scratchRepository()
    const id = repository.commit({
      'services/a $(x)/run.sh': { executable: '#!/bin/sh\necho real\n' },
      'shared.txt': 's',
      'other/x': '',
    })
    const source = await openRepository({
      url: repository.folder,
      folder: join(trial.folder, 'mirrors'),
      host: localHost(),
    })
    const service = { name: 'shop', path: 'services/a $(x)', start: './run.sh' }
    const base = trial.order({ builder: commandBuilder, files: {}, service })
    const trees = await source.trees(id, [service.path, 'shared.txt', 'not-there'])

    const { artifact } = await buildService({
      ...base,
      trees,
      checkout: (folder, options) => source.checkout(id, folder, options),
    })
    repository.remove()

    assert.equal(await startedOutput(artifact), 'real\n')
    assert.deepEqual((await readdir(artifact.folder)).sort(), ['services', 'shared.txt'])
  })

  it('is refused when the commit has no folder of that name', async () => {
    const refusal = await refusalOf(buildService(order('true', { service: { path: 'services/shpo' } })))

    assert.equal(refusal.problems[0]?.code, 'build/no-folder')
    assert.equal(trial.checkouts.count, 0)
  })

  it('streams its lines, and keeps the first 10 and the last 40 for the refusal', async () => {
    const refusal = await refusalOf(buildService(order('for i in $(seq 1 60); do echo "line-$i-"; done; exit 1')))

    const kept = (refusal.problems[0]?.hint ?? '').match(/line-\d+-|… .* …/g)
    assert.ok(trial.lines.includes('line-1-') && trial.lines.includes('line-60-'))
    assert.equal(kept?.length, 51)
    assert.deepEqual([kept[9], kept[10], kept[11], kept[50]], ['line-10-', '… 10 more lines …', 'line-21-', 'line-60-'])
  })

  it('may print megabytes, in one line or in many', async () => {
    const { artifact } = await buildService(
      order(
        'yes a line that is printed again and again | head -c 3000000; head -c 3000000 /dev/zero | tr "\\0" x; echo; echo ok > out',
      ),
    )

    assert.equal(await startedOutput(artifact), 'ok\n')
    assert.ok(trial.lines.every((line) => line.length < 3000))
    assert.ok(trial.lines.length > 70_000)
  })

  it('says that the disk is full, whoever meets it', async () => {
    const refusal = await refusalOf(buildService(order('cat readme > /dev/full')))

    assert.equal(refusal.problems[0]?.code, 'build/disk-full')
  })

  it('does not show the credentials of its environment', async () => {
    process.env['NPM_TOKEN'] = 'npm-t0ken-value'
    const builder = { ...commandBuilder, passedOn: ['NPM_TOKEN'] }
    const base = order('echo "the token is $NPM_TOKEN"; exit 1')

    const refusal = await refusalOf(buildService({ ...base, builder }))
    delete process.env['NPM_TOKEN']

    assert.ok(trial.lines.includes('the token is [REDACTED]'))
    assert.doesNotMatch(refusal.message, /t0ken/)
  })
})

describe('a build that does not end', () => {
  it('is ended whole at its time limit', async () => {
    const pids = join(trial.folder, 'pid')
    const build = `sleep 60 & echo $! > ${pids}; echo waiting; wait`

    const refusal = await refusalOf(buildService({ ...order(build), timeoutMs: 2_000 }))

    assert.equal(refusal.problems[0]?.code, 'build/timed-out')
    assert.match(refusal.problems[0]?.hint ?? '', /waiting/)
    assert.equal(await alive(pids), false)
    assert.deepEqual(await leftInTmp(), [])
  })

  it('is ended when it is told to', async () => {
    const pids = join(trial.folder, 'pid')
    const stop = new AbortController()
    const build = `sleep 60 & echo $! > ${pids}; echo waiting; wait`

    const work = buildService({
      ...order(build),
      signal: stop.signal,
      onLine: (line) => line === 'waiting' && stop.abort(),
    })
    const refusal = await refusalOf(work)

    assert.equal(refusal.problems[0]?.code, 'build/aborted')
    assert.equal(await alive(pids), false)
    assert.deepEqual(await leftInTmp(), [])
  })
})

describe('builds of the same inputs', () => {
  it('are done once, however many ask at the same time', async () => {
    const counter = join(trial.folder, 'count')
    const same = order(`echo built >> ${counter}; sleep 0.3; echo x > out`)

    const results = await Promise.all(Array.from({ length: 5 }, () => buildService(same)))

    assert.equal(await readFile(counter, 'utf8'), 'built\n')
    assert.deepEqual(results.map((result) => result.how).sort(), ['built', 'reused', 'reused', 'reused', 'reused'])
    assert.equal(new Set(results.map((result) => result.artifact.id)).size, 1)
  })

  it('do not wait for a process that died with the lock', async () => {
    const same = order('echo x > out')
    const dead = new Map<string, string>()
    const spy: BuildOrder = {
      ...same,
      store: {
        ...trial.store,
        exclusively: (key, signal, body) => (dead.set('key', key), trial.store.exclusively(key, signal, body)),
      },
    }
    await buildService(spy)
    await rm(join(trial.store.folder, 'inputs'), { recursive: true })
    await mkdir(join(trial.store.folder, 'inputs'))
    await writeFile(
      join(trial.store.folder, 'inputs', `${dead.get('key')}.lock`),
      '1-99 of a process with that id that started at another time',
    )

    const { artifact } = await buildService(same)

    assert.equal(await startedOutput(artifact), 'x\n')
    assert.deepEqual((await readdir(join(trial.store.folder, 'inputs'))).length, 1)
  })

  it('stop waiting when they are told to', async () => {
    const same = order('sleep 20')
    const stop = new AbortController()
    const first = refusalOf(buildService({ ...same, signal: stop.signal }))
    await sleep(100)

    const second = await refusalOf(buildService({ ...same, signal: AbortSignal.timeout(100) }))
    stop.abort()
    await first

    assert.equal(second.problems[0]?.code, 'build/aborted')
  })

  it('are other inputs when anything that counts differs, and the same when nothing does', async () => {
    const files = { 'services/shop/readme': 'shop\n', 'lib/a': '1', 'other/b': '1' }
    const base = { files, shared: ['lib'], service: {} }
    await buildService(order('echo x > out', base))

    const found = await Promise.all(
      [
        order('echo x > out', base),
        order('echo x > out', { ...base, files: { ...files, 'other/b': '2' } }),
        order('echo x > out', { ...base, files: { ...files, 'lib/a': '2' } }),
        order('echo y > out', base),
        order('echo x > out', { ...base, service: { start: 'cat readme' } }),
        order('echo x > out', { ...base, shared: [] }),
        order('echo x > out', {
          ...base,
          service: { migrate: { command: 'x', store: 'd', timeoutMs: 1, lockTimeoutMs: 1 } },
        }),
        { ...order('echo x > out', base), builder: { ...commandBuilder, version: 2 } },
        { ...order('echo x > out', base), builder: { ...commandBuilder, toolchain: async () => 'newer' } },
      ].map(async (each) => (await lookUp(each)).artifact !== undefined),
    )

    assert.deepEqual(found, [true, true, false, false, false, false, false, false, false])
  })
})

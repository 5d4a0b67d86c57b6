import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { scratchRepository } from '../../test/scratch-repository.ts'
import type { ScratchRepository } from '../../test/scratch-repository.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { Refusal } from '../problem/problem.ts'
import { openRepository } from './repository.ts'
import type { Repository } from './repository.ts'

let folder: string
let origin: ScratchRepository

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-source-'))
  origin = scratchRepository()
})

afterEach(() => {
  origin.remove()
  rmSync(folder, { recursive: true, force: true })
})

function open(url = origin.folder): Promise<Repository> {
  return openRepository({ url, folder: join(folder, 'mirrors'), host: localHost() })
}

async function refused(work: Promise<unknown>): Promise<Refusal> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(error instanceof Refusal, `expected a Refusal, got ${String(error)}`)
  return error
}

function codes(refusal: Refusal): string[] {
  return refusal.problems.map((problem) => problem.code)
}

/** Two commits whose ids begin with the same 4 digits, found by trying messages. */
function collidingCommits(tree: string): [start: string, commits: [string, string]] {
  const seen = new Map<string, string>()
  for (let i = 0; ; i++) {
    const who = 'Ada <ada@example.org> 1700000000 +0000'
    const text = `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\nCommit ${i}\n`
    const start = createHash('sha1').update(`commit ${text.length}\0${text}`).digest('hex').slice(0, 4)
    const other = seen.get(start)
    if (other !== undefined) return [start, [other, text]]
    seen.set(start, text)
  }
}

describe('resolve', () => {
  it('finds a branch, a tag, a commit, the beginning of one, and the default branch', async () => {
    const first = origin.commit({ 'a.txt': '1' }, 'First: ünïcode "quoted"\n\nbody')
    origin.git('tag', '-a', '-m', 'annotated', 'v1')
    const second = origin.commit({ 'a.txt': '2' }, 'Second')
    const repository = await open()

    const branch = await repository.resolve('main')
    const others = await Promise.all(
      ['v1', first, first.slice(0, 7), 'HEAD', 'refs/heads/main'].map((ref) => repository.resolve(ref)),
    )

    assert.deepEqual(
      { ...branch, date: typeof branch.date },
      { id: second, branch: 'main', author: 'Ada', date: 'number', subject: 'Second' },
    )
    assert.ok(Math.abs(Date.now() - branch.date) < 60 * 60_000)
    assert.deepEqual(
      others.map((commit) => [commit.id, commit.branch]),
      [
        [first, undefined],
        [first, undefined],
        [first, undefined],
        [second, 'main'],
        [second, 'main'],
      ],
    )
    assert.equal(others[0]?.subject, 'First: ünïcode "quoted"')
  })

  it('takes a branch name for a name, whatever characters it holds', async () => {
    const id = origin.commit({ 'a.txt': '1' })
    const names = ['feature/$(touch${IFS}boo)', '--upload-pack=boo', 'ünï', 'deadbeef', "a&b|c`id`'"]
    // Porcelain refuses a leading dash; a server that was pushed to need not.
    for (const name of names) origin.git('update-ref', `refs/heads/${name}`, id)
    const repository = await open()

    const found = await Promise.all(names.map((name) => repository.resolve(name)))

    assert.deepEqual(
      found.map((commit) => commit.branch),
      names,
    )
    assert.equal(existsSync('boo'), false)
  })

  it('refuses what is not the name of a commit', async () => {
    origin.commit({ 'a.txt': '1' })
    const blob = origin.git('rev-parse', 'HEAD:a.txt')
    const repository = await open()

    for (const ref of [
      'main~1',
      'main^{tree}',
      ':/A change',
      'main:a.txt',
      '',
      '@',
      'a b',
      '../x',
      '--all',
      blob,
      'x\ny',
      'x\0y',
    ]) {
      assert.deepEqual(codes(await refused(repository.resolve(ref))), ['source/unknown-ref'], ref)
    }
  })

  it('offers the branch that was probably meant, or lists what there is', async () => {
    origin.commit({ 'a.txt': '1' })
    origin.git('branch', 'production')
    const repository = await open()

    const near = await refused(repository.resolve('prodcution'))
    const far = await refused(repository.resolve('elsewhere'))

    assert.equal(near.problems[0]?.hint, 'Did you mean "production"?')
    assert.match(far.problems[0]?.hint ?? '', /main, production|production, main/)
  })

  it('says when the beginning of an id fits several commits', async () => {
    const base = origin.commit({ 'a.txt': '1' })
    const [start, texts] = collidingCommits(origin.git('rev-parse', `${base}^{tree}`))
    texts.forEach((text, i) => {
      writeFileSync(join(folder, 'commit'), text)
      const id = origin.git('hash-object', '-t', 'commit', '-w', join(folder, 'commit'))
      origin.git('update-ref', `refs/heads/b${i}`, id)
    })
    const repository = await open()

    const error = await refused(repository.resolve(start))

    assert.deepEqual(codes(error), ['source/ambiguous-commit'])
  })

  it('says that a repository is empty', async () => {
    const repository = await open()

    assert.deepEqual(codes(await refused(repository.resolve('main'))), ['source/empty-repository'])
    assert.deepEqual(codes(await refused(repository.resolve('HEAD'))), ['source/empty-repository'])
  })
})

describe('reading a commit', () => {
  it('reads a text file, and nothing from a path that holds none', async () => {
    const id = origin.commit({ 'drover.yaml': 'fleet: x\n', 'dir/-f $(x).txt': 'odd', link: { link: 'drover.yaml' } })
    const repository = await open()

    const texts = await Promise.all(
      ['drover.yaml', './drover.yaml', 'dir//-f $(x).txt', 'dir', 'nope', 'link', '-x', 'dir/*'].map((path) =>
        repository.read(id, path),
      ),
    )

    assert.deepEqual(texts, ['fleet: x\n', 'fleet: x\n', 'odd', undefined, undefined, undefined, undefined, undefined])
  })

  it('refuses a file that is too large and a path that leads out', async () => {
    const id = origin.commit({ 'big.txt': 'x'.repeat(2000) })
    const repository = await open()

    assert.deepEqual(codes(await refused(repository.read(id, 'big.txt', { maxBytes: 1999 }))), [
      'source/file-too-large',
    ])
    assert.equal((await repository.read(id, 'big.txt', { maxBytes: 2000 }))?.length, 2000)
    for (const path of ['../x', '/etc/passwd', 'a/../../x']) {
      assert.deepEqual(codes(await refused(repository.read(id, path))), ['source/bad-path'])
    }
  })

  it('lists a folder', async () => {
    const id = origin.commit({
      'a/b.txt': '1',
      'a/run': { executable: '#!/bin/sh\n' },
      'a/l': { link: 'b.txt' },
      'a/d/x': '1',
      'z y': '1',
    })
    const repository = await open()

    const entries = await Promise.all(['a', '', 'a/b.txt', 'nope'].map((path) => repository.list(id, path)))

    assert.deepEqual(
      entries.map((each) => each.map((entry) => `${entry.kind} ${entry.path}`)),
      [['file a/b.txt', 'folder a/d', 'link a/l', 'file a/run'], ['folder a', 'file z y'], [], []],
    )
    assert.deepEqual(await Promise.all(['a', 'a/l', 'a/x', ''].map((path) => repository.exists(id, path))), [
      true,
      true,
      false,
      true,
    ])
  })

  it('shows a commit to the manifest', async () => {
    const id = origin.commit({ 'services/a/package.json': '{}', 'services/a/src/x': '1', 'drover.yaml': '' })
    const view = (await open()).at(id)

    const lists = await Promise.all(
      ['.', 'services', './services/a/', 'services/a/src/x', 'nope'].map((folder) => view.list(folder)),
    )
    const there = await Promise.all(
      ['.', 'services/a', 'services/a/package.json', 'a', 'services/b', 'drover.yaml'].map((path) => view.exists(path)),
    )

    assert.deepEqual(lists, [['drover.yaml', 'services'], ['a'], ['package.json', 'src'], [], []])
    assert.deepEqual(there, [true, true, true, false, false, true])
  })

  it('gives versions that differ exactly when content or mode does', async () => {
    const paths = ['a', 'a/b', 'run.sh', 'nope', '.', 'a/', 'x/y/z']
    const first = origin.commit({ 'a/b/f': '1', 'run.sh': 'x', 'x/y/z': '1' })
    const second = origin.commit({ 'a/b/f': '1', 'run.sh': { executable: 'x' }, other: '1' })
    const repository = await open()

    const [before, after] = await Promise.all([repository.trees(first, paths), repository.trees(second, paths)])

    assert.deepEqual([...before.keys()], paths)
    assert.equal(before.get('a'), origin.git('rev-parse', `${first}:a`))
    assert.equal(before.get('.'), origin.git('rev-parse', `${first}^{tree}`))
    assert.deepEqual(
      paths.filter((path) => before.get(path) !== after.get(path)),
      ['run.sh', '.'],
    )
    assert.equal(before.get('nope'), undefined)
    assert.equal(before.get('a/'), before.get('a'))
  })
})

describe('checkout', () => {
  it('lays files with their modes and links and without .git, nothing left beside them', async () => {
    const id = origin.commit({
      'services/a/run.sh': { executable: '#!/bin/sh\n' },
      'services/a/l': { link: '../b' },
      'services/a/-rf $(x)': 'odd',
      'services/b/f': '1',
      '.gitattributes': '*.txt text eol=crlf\nservices/a/keep export-ignore\n',
      'services/a/t.txt': 'one\n',
      'services/a/keep': '1',
    })
    const repository = await open()
    const part = join(folder, 'part')
    const all = join(folder, 'all')

    await repository.checkout(id, part, { paths: ['services/a'] })
    await repository.checkout(id, all)

    assert.deepEqual(readdirSync(part), ['services'])
    assert.deepEqual(readdirSync(join(part, 'services/a')).sort(), ['-rf $(x)', 'keep', 'l', 'run.sh', 't.txt'])
    assert.equal(lstatSync(join(part, 'services/a/run.sh')).mode & 0o111, 0o111)
    assert.equal(readlinkSync(join(part, 'services/a/l')), '../b')
    assert.equal(readFileSync(join(part, 'services/a/t.txt'), 'utf8'), 'one\r\n')
    assert.deepEqual(readdirSync(all).sort(), ['.gitattributes', 'services'])
    assert.deepEqual(readdirSync(folder).sort(), ['all', 'mirrors', 'part'])
  })

  it('refuses every path that does not exist, all at once', async () => {
    const id = origin.commit({ a: '1' })
    const repository = await open()

    const error = await refused(repository.checkout(id, join(folder, 'out'), { paths: ['a', 'b', '--help'] }))

    assert.deepEqual(
      error.problems.map((problem) => [problem.code, problem.where.at]),
      [
        ['source/missing-path', 'path b'],
        ['source/missing-path', 'path --help'],
      ],
    )
    assert.equal(existsSync(join(folder, 'out')), false)
  })

  it('refuses submodules and Git LFS pointers where they are concerned', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`
    origin.commit({ 'lfs/model.bin': pointer, 'plain/f': '1' })
    origin.git('update-index', '--add', '--cacheinfo', `160000,${origin.git('rev-parse', 'HEAD')},sub/lib`)
    origin.git('commit', '--quiet', '-m', 'submodule')
    const repository = await open()
    const { id } = await repository.resolve('main')

    const submodule = await refused(repository.checkout(id, join(folder, '1'), { paths: ['sub', 'plain'] }))
    const lfs = await refused(repository.checkout(id, join(folder, '2'), { paths: ['lfs'] }))
    await repository.checkout(id, join(folder, '3'), { paths: ['plain'] })

    assert.deepEqual(codes(submodule), ['source/submodule'])
    assert.deepEqual([codes(lfs), lfs.problems[0]?.where.at], [['source/lfs-pointer'], 'path lfs/model.bin'])
    assert.deepEqual(readdirSync(folder).sort(), ['3', 'mirrors'])
  })

  it('leaves a folder alone that is not empty', async () => {
    const id = origin.commit({ a: '1' })
    const repository = await open()
    writeFileSync(join(folder, 'mine'), '')

    const error = await refused(repository.checkout(id, folder))

    assert.deepEqual(codes(error), ['source/folder-not-empty'])
    assert.ok(existsSync(join(folder, 'mine')))
  })
})

describe('history', () => {
  it('lists commits between two, of some paths, up to a limit', async () => {
    const ids = ['one', 'two', 'three', 'four'].map((word, i) =>
      origin.commit({ [i === 2 ? 'b/f' : 'a/f']: word }, word),
    )
    const [one = '', , , four = ''] = ids
    const repository = await open()

    const [between, ofPath, limited, all, none] = await Promise.all([
      repository.log({ from: one, to: four, limit: 10 }),
      repository.log({ from: one, to: four, paths: ['a'], limit: 10 }),
      repository.log({ from: one, to: four, limit: 1 }),
      repository.log({ to: four, limit: 10 }),
      repository.log({ from: four, to: one, limit: 10 }),
    ])

    assert.deepEqual(
      [between, ofPath, limited, all, none].map((commits) => commits?.map((commit) => commit.subject)),
      [['four', 'three', 'two'], ['four', 'two'], ['four'], ['four', 'three', 'two', 'one'], []],
    )
  })

  it('lists the files that differ, moved ones at both places', async () => {
    const first = origin.commit({ 'a/ü f': '1'.repeat(500), 'b/g': '1' })
    const second = origin.commit({ 'a/ü f': undefined, 'c/ü f': '1'.repeat(500) })
    const repository = await open()

    assert.deepEqual(await repository.changedFiles(first, second), ['a/ü f', 'c/ü f'])
    assert.deepEqual(await repository.changedFiles(first, first), [])
  })

  it('tells whether a commit is part of another', async () => {
    const first = origin.commit({ a: '1' })
    const second = origin.commit({ a: '2' })
    const repository = await open()

    assert.equal(await repository.contains(first, second), true)
    assert.equal(await repository.contains(second, first), false)
    assert.equal(await repository.contains(first, first), true)
  })

  it('gets a commit that was pushed, and named by somebody else, since its last fetch', async () => {
    origin.commit({ a: '1' })
    const repository = await open()
    const pushed = origin.commit({ a: '2' })

    assert.equal(await repository.read(pushed, 'a'), '2')
  })

  it('names a commit that is not there', async () => {
    const id = origin.commit({ a: '1' })
    const repository = await open()
    const gone = 'a'.repeat(40)

    for (const work of [
      () => repository.log({ from: gone, to: id, limit: 1 }),
      () => repository.contains(gone, id),
      () => repository.changedFiles(gone, id),
      () => repository.read(gone, 'a'),
      () => repository.trees('--all', ['a']),
    ]) {
      assert.deepEqual(codes(await refused(work())), ['source/unknown-commit'])
    }
    assert.deepEqual([await repository.has(id), await repository.has(gone)], [true, false])
  })
})

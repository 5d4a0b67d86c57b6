import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { scratchRepository } from '../../test/scratch-repository.ts'
import type { ScratchRepository } from '../../test/scratch-repository.ts'
import type { Host } from '../hosts/host.ts'
import { localHost } from '../hosts/local/local-host.ts'
import { Refusal } from '../problem/problem.ts'
import { openRepository } from './repository.ts'
import type { Repository } from './repository.ts'

let folder: string
let origin: ScratchRepository

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-mirror-'))
  origin = scratchRepository()
})

afterEach(() => {
  origin.remove()
  rmSync(folder, { recursive: true, force: true })
})

function open(url = origin.folder, host: Host = localHost()): Promise<Repository> {
  return openRepository({ url, folder: join(folder, 'mirrors'), host })
}

function mirrorFolder(): string {
  const [name = ''] = readdirSync(join(folder, 'mirrors')).filter((each) => each.endsWith('.git'))
  return join(folder, 'mirrors', name)
}

async function refused(work: Promise<unknown>): Promise<Refusal> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(error instanceof Refusal, `expected a Refusal, got ${String(error)}`)
  return error
}

describe('fetch', () => {
  it('follows new, force-pushed and deleted branches, tags and the default branch', async () => {
    origin.commit({ a: '1' })
    origin.git('branch', 'gone')
    origin.git('tag', 'moved')
    const repository = await open()
    const old = await repository.resolve('main')
    origin.git('checkout', '--quiet', '--orphan', 'fresh')
    const forced = origin.commit({ a: '2' })
    origin.git('branch', '--force', 'main')
    origin.git('tag', '--force', 'moved')
    origin.git('branch', '-D', 'gone')
    origin.git('branch', 'gone/deeper')

    await repository.fetch()

    assert.equal((await repository.resolve('main')).id, forced)
    assert.equal((await repository.resolve('moved')).id, forced)
    assert.equal((await repository.resolve('HEAD')).branch, 'fresh')
    assert.equal((await repository.resolve('gone/deeper')).id, forced)
    assert.equal((await refused(repository.resolve('gone'))).problems[0]?.code, 'source/unknown-ref')
    assert.equal(await repository.contains(old.id, forced), false)
  })

  it('is done by many at once without harm', async () => {
    origin.commit({ a: '1' })
    const repositories = await Promise.all([open(), open(), open()])
    const id = origin.commit({ a: '2' })

    await Promise.all(repositories.map((repository) => repository.fetch()))

    for (const repository of repositories) assert.equal((await repository.resolve('main')).id, id)
    assert.equal(readdirSync(join(folder, 'mirrors')).filter((name) => name.endsWith('.git')).length, 1)
  })

  it('says that the repository is gone and keeps answering from the mirror', async () => {
    const id = origin.commit({ a: '1' })
    const repository = await open()
    origin.remove()

    const error = await refused(repository.fetch())

    assert.equal(error.problems[0]?.code, 'source/no-repository')
    assert.equal((await repository.resolve('main')).id, id)
  })

  it('says what is wrong with an address', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'))

    const found = await Promise.all(
      ['relative/path', '-oProxyCommand=x:y', 'ext::sh -c x', 'https://', '/nowhere/at/all', empty].map(
        async (url) => (await refused(open(url))).problems[0]?.code,
      ),
    )

    assert.deepEqual(found, [
      'source/bad-address',
      'source/bad-address',
      'source/bad-address',
      'source/bad-address',
      'source/no-repository',
      'source/unreachable',
    ])
  })

  it('says that git is missing', async () => {
    const real = localHost()
    const host: Host = {
      ...real,
      run: (command, options) => real.run({ ...command, env: { ...command.env, PATH: folder } }, options),
    }

    const error = await refused(open(origin.folder, host))

    assert.equal(error.problems[0]?.code, 'source/no-git')
    assert.match(error.problems[0]?.hint ?? '', /apt-get install git/)
  })

  it('stops when it is told to', async () => {
    origin.commit({ a: '1' })
    const repository = await open()

    const error = await refused(repository.fetch({ signal: AbortSignal.abort() }))

    assert.equal(error.problems[0]?.code, 'source/aborted')
  })
})

describe('a damaged mirror', () => {
  it('is made again when it is no repository any more', async () => {
    const id = origin.commit({ a: '1' })
    await open()
    rmSync(join(mirrorFolder(), 'HEAD'))

    const repository = await open()

    assert.equal((await repository.resolve('main')).id, id)
  })

  const damages: Record<string, (mirror: string) => void> = {
    'objects are missing': (mirror) => rmSync(join(mirror, 'objects'), { recursive: true }),
    'objects are empty, as after a power cut': (mirror) => {
      const list = execFileSync('find', [join(mirror, 'objects'), '-type', 'f'], { encoding: 'utf8' })
      for (const path of list.split('\n').filter((each) => each !== '')) {
        execFileSync('chmod', ['u+w', path])
        truncateSync(path)
      }
    },
    'a ref is garbage': (mirror) => {
      writeFileSync(join(mirror, 'packed-refs'), '')
      rmSync(join(mirror, 'refs/heads'), { recursive: true })
      execFileSync('mkdir', [join(mirror, 'refs/heads')])
      writeFileSync(join(mirror, 'refs/heads/main'), 'garbage\n')
    },
  }
  for (const [what, damage] of Object.entries(damages)) {
    it(`mends itself while in use: ${what}`, async () => {
      origin.commit({ a: '1' })
      const repository = await open()
      damage(mirrorFolder())
      const id = origin.commit({ a: '2' })

      await repository.fetch()
      const found = await repository.resolve('main')
      await repository.checkout(found.id, join(folder, 'out'))

      assert.equal(found.id, id)
      assert.equal(readFileSync(join(folder, 'out/a'), 'utf8'), '2')
      assert.deepEqual(
        readdirSync(join(folder, 'mirrors')).filter((name) => /\.(new|old)-/.test(name)),
        [],
      )
    })
  }

  it('mends itself when only a read meets the damage', async () => {
    const id = origin.commit({ a: '1' })
    const repository = await open()
    rmSync(join(mirrorFolder(), 'objects'), { recursive: true })

    const text = await repository.read(id, 'a')

    assert.equal(text, '1')
  })

  it('takes away the locks of a fetch that was killed', async () => {
    origin.commit({ a: '1' })
    const repository = await open()
    const id = origin.commit({ a: '2' })
    for (const name of ['packed-refs.lock', 'refs/heads/main.lock', 'HEAD.lock'])
      writeFileSync(join(mirrorFolder(), name), '')

    await repository.fetch()

    assert.equal((await repository.resolve('main')).id, id)
  })
})

function filesHolding(word: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => readFileSync(path).includes(word))
}

describe('credentials', () => {
  it('reach the server as the user and password of the URL, and nothing else', async () => {
    const word = 's3cret-Word'
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.headers.authorization)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    assert.ok(bound !== null && typeof bound === 'object')
    const argvs: string[] = []
    const real = localHost()
    const host: Host = {
      ...real,
      run: (command, options) => (argvs.push(command.argv.join(' ')), real.run(command, options)),
    }

    const error = await refused(open(`http://deploy:${word}@127.0.0.1:${bound.port}/fleet.git`, host))
    await new Promise((resolve) => server.close(resolve))

    assert.equal(error.problems[0]?.code, 'source/unreachable')
    assert.ok(
      asked.includes(`Basic ${Buffer.from(`deploy:${word}`).toString('base64')}`),
      'the server never saw the credentials',
    )
    assert.ok(!error.message.includes(word) && !JSON.stringify(error.problems).includes(word))
    assert.deepEqual(
      argvs.filter((argv) => argv.includes(word)),
      [],
    )
    assert.deepEqual(filesHolding(word), [])
  })
})

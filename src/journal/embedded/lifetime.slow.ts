import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Secret } from '../../secrets/secret.ts'
import { connect } from '../database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres.ts'

/** One cluster, which is made once; each test starts it and leaves it stopped. */
describe('embedded PostgreSQL', () => {
  let folder: string
  const started: EmbeddedPostgres[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-embedded-'))
  })
  afterEach(async () => {
    for (const postgres of started.splice(0)) await postgres.stop()
  })
  after(() => rm(folder, { recursive: true, force: true }))

  async function start(): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ folder })
    started.push(postgres)
    return postgres
  }

  it('starts, keeps what is written and its address, and stops', async () => {
    const first = await start()
    await query(first.url, 'CREATE TABLE kept (n int)')
    await first.stop()
    const second = await start()

    assert.deepEqual(await query(second.url, 'SELECT count(*) AS rows FROM kept'), [{ rows: 0 }])
    assert.equal(second.adopted, false)
    assert.equal(second.url.open(), first.url.open())
    assert.ok(await isCollected(first.pid))
  })

  it('is closed to whoever has not its password, which only its owner can read', async () => {
    const postgres = await start()
    const wrong = new Secret(postgres.url.open().replace(/:[^:@]+@/, ':wrong@'))

    await assert.rejects(connect(wrong), /password authentication failed/)
    assert.equal((await stat(join(folder, 'password'))).mode & 0o777, 0o600)
    assert.ok(!String(postgres.url).includes((await readFile(join(folder, 'password'), 'utf8')).trim()))
  })

  it('is shared by two of one folder, and stopped by the last', async () => {
    const first = await start()
    const second = await start()
    assert.deepEqual([second.adopted, second.pid], [true, first.pid])

    await first.stop()
    assert.deepEqual(await query(second.url, 'SELECT 1 AS one'), [{ one: 1 }])

    await second.stop()
    assert.ok(await isCollected(second.pid))
  })

  it('starts once when several want it at the same time', async () => {
    const all = await Promise.all([start(), start(), start()])

    assert.equal(new Set(all.map(({ pid }) => pid)).size, 1)
    assert.equal(all.filter(({ adopted }) => !adopted).length, 1)
  })

  it('comes back at the same address when it dies', async () => {
    const postgres = await start()
    const { pid } = postgres

    process.kill(pid, 'SIGKILL')
    for (const end = performance.now() + 20_000; postgres.pid === pid; await delay(20))
      assert.ok(performance.now() < end)

    assert.deepEqual(await query(postgres.url, 'SELECT 1 AS one'), [{ one: 1 }])
  })

  it('is not misled by a lock file whose process is another program by now', async () => {
    await (await start()).stop()
    await writeFile(
      join(folder, 'data', 'postmaster.pid'),
      `${process.pid}\n${join(folder, 'data')}\n0\n1\n\n127.0.0.1\n`,
    )

    const postgres = await start()

    assert.equal(postgres.adopted, false)
    assert.notEqual(postgres.pid, process.pid)
  })

  it('is refused, with its data untouched, when its password is lost', async () => {
    await (await start()).stop()
    const password = await readFile(join(folder, 'password'))
    await rm(join(folder, 'password'))

    await assert.rejects(start(), /journal\/password-lost|cannot be read/)

    await writeFile(join(folder, 'password'), password, { mode: 0o600 })
    await start()
  })
})

async function query(url: Secret, text: string): Promise<unknown[]> {
  const client = await connect(url)
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** A process that has ended keeps its number until its parent, which is this process, has collected it: within a moment. */
async function isCollected(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(pid, 0)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH'
    }
    await delay(20)
  }
  return false
}

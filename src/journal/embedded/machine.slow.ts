import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Refusal } from '../../problem/problem.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres.ts'

const IS_ROOT = process.getuid?.() === 0
const NOBODY = 65534

/** What it meets on machines: other users, closed folders, full disks, and a Drover that dies. */
describe('embedded PostgreSQL on a machine', () => {
  let folder: string
  const cleanUp: (() => unknown)[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-machine-'))
    cleanUp.push(() => rm(folder, { recursive: true, force: true }))
  })
  afterEach(async () => {
    for (const step of cleanUp.splice(0).toReversed()) await step()
  })

  it('survives Ctrl-C and kill -9 of its Drover, and is adopted by the next', async () => {
    for (const ending of ['SIGINT', 'SIGKILL'] as const) {
      const { drover, pid } = await startElsewhere({ folder, detached: true })
      const ended = once(drover, 'exit')
      process.kill(-(drover.pid ?? 0), ending)
      await ended

      const postgres = await startEmbeddedPostgres({ folder })
      cleanUp.push(() => postgres.stop())

      assert.deepEqual([postgres.adopted, postgres.pid], [true, pid], ending)
    }
  })

  it('runs where its own user may not even look, as below /root', { skip: !IS_ROOT && 'needs root' }, async () => {
    const closed = join(folder, 'project', '.drover')
    await mkdir(closed, { recursive: true })
    await chmod(folder, 0o700)

    const postgres = await startEmbeddedPostgres({ folder: closed })
    const data = await realpath(`/proc/${postgres.pid}/cwd`)
    cleanUp.push(() => rm(dirname(data), { recursive: true, force: true }))
    cleanUp.push(() => postgres.stop())

    assert.match(data, /^\/var\/lib\/drover\/[0-9a-f]{12}\/data$/)
  })

  it('runs as whoever started it', { skip: !IS_ROOT && 'needs root to become another' }, async (t) => {
    await chown(folder, NOBODY, NOBODY)
    if (spawnSync(process.execPath, ['-v'], { uid: NOBODY }).status !== 0)
      return t.skip('the other may not run this node')

    const { drover, pid } = await startElsewhere({ folder, uid: NOBODY })
    drover.kill('SIGTERM')
    const [code] = await once(drover, 'exit')

    assert.equal(code, 0)
    // The server's parent is gone, so whoever adopted it collects it, and until then its number is taken.
    for (let tries = 0; tries < 100 && (await stateOf(pid)) === 'Z'; tries++) await delay(20)
    assert.equal(await stateOf(pid), undefined)
    return undefined
  })

  it('refuses a disk without room', { skip: !IS_ROOT && 'needs root to mount a small disk' }, async (t) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0755', 'tmpfs', folder]).status !== 0) {
      return t.skip('this machine mounts nothing')
    }
    cleanUp.push(() => spawnSync('umount', [folder]))

    const error: unknown = await startEmbeddedPostgres({ folder: join(folder, 'postgres') }).then(
      (postgres: EmbeddedPostgres) => postgres.stop().then(() => assert.fail('it started')),
      (reason: unknown) => reason,
    )

    assert.ok(error instanceof Refusal, String(error))
    assert.equal(error.problems[0]?.code, 'journal/disk-full')
    return undefined
  })
})

/** As /proc has it: `Z` for one that has ended and was not collected; undefined when there is none. */
async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat?.slice(stat.lastIndexOf(')') + 2)[0]
}

/** A Drover of its own: starts the server, says its pid, and stops it when asked to by SIGTERM. */
async function startElsewhere(of: {
  readonly folder: string
  readonly detached?: boolean
  readonly uid?: number
}): Promise<{ drover: ChildProcess; pid: number }> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(import.meta.dirname, '..', 'embedded-postgres.ts'))}
    const postgres = await startEmbeddedPostgres(${JSON.stringify({ folder: of.folder, cache: join(of.folder, 'cache') })})
    process.once('SIGTERM', () => postgres.stop().then(() => process.exit(0)))
    setInterval(() => undefined, 1000)
    console.log(postgres.pid)`
  const { uid, detached = false } = of
  const drover = spawn(process.execPath, ['--input-type=module', '-e', script], {
    detached,
    ...(uid === undefined ? {} : { uid, gid: uid }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await once(drover.stdout, 'data')
  return { drover, pid: Number(String(output)) }
}

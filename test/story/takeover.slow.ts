import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { startEmbeddedPostgres } from '../../src/journal/embedded-postgres.ts'
import type { SmallFleet } from '../fleet/small-fleet.ts'
import { answers, jobsAtOnce, liveSet, storyBench } from './bench.ts'

/** Nothing new is live at the first, everything is at the second. */
const POINTS = ['story.source:after', 'build:*.artifact:after', 'stage:local.lay:before', 'switch:renamed']

describe('several Drover processes on one database', { concurrency: false }, () => {
  it('R11: one is killed, another ends its release by itself, and the next begins', { timeout: 300_000 }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-shared-'))
    await chmod(folder, 0o711)
    const postgres = await startEmbeddedPostgres({ folder: join(folder, 'postgres') })
    const bench = await storyBench(t, { watch: '500ms', warm: '10m', databaseUrl: postgres.url })
    const database = new Client({ connectionString: postgres.url.open() })
    await database.connect()
    t.after(async () => {
      await database.end()
      await postgres.stop()
      await rm(folder, { recursive: true })
    })
    await bench.child({}).ended()
    const traffic = bench.trickle()
    let number = 1

    for (const point of POINTS) {
      await t.test(`killed at ${point}`, async () => {
        const next = { version: String(number + 1) }
        await bench.fleet.commit({ config: next, gateway: next, shop: next, jobs: next })
        // Whoever of them has the release is killed, once: any may take it from the queue.
        const deadly = { dieAt: point, death: join(folder, `death at ${point}`) }
        const standby = bench.child({ ...deadly, order: 'serve', home: join(bench.folder, 'standby') })
        await standby.opened()

        const owner = bench.child(deadly)
        const outcome = await outcomeOf(database, number + 1)

        assert.ok(existsSync(deadly.death), `the release did not reach ${point}`)
        assert.equal(outcome, 'kept')
        assert.equal(await liveSet(bench.home), `r${number + 1}`)
        assert.deepEqual(await versionsOf(bench.fleet), Array(4).fill(next.version), 'a mixed set is live')
        assert.deepEqual(await jobsAtOnce(bench.folder), { most: 1, now: 1 })
        standby.process.kill('SIGKILL')
        await Promise.all([owner.ended(), standby.ended()])
        number++
      })
    }
    const last = await bench.child({}).ended()
    const newcomer = bench.child({ order: { goal: 'rollback' }, home: join(bench.folder, 'newcomer') })
    const back = await newcomer.ended()

    assert.match(last?.outcome ?? '', /^(kept|unchanged)$/, 'the lane was not free')
    assert.equal(back?.outcome, 'kept', 'a Drover that has built nothing itself cannot go back')
    await refusesAnotherMachine(database, () => bench.open())
    const { sent, failed } = await traffic.stop()
    assert.ok(sent > 100)
    assert.deepEqual(
      failed.filter((failure) => !failure.startsWith('jobs')),
      [],
    )
  })
})

/** The database says that its fleets run elsewhere, as when two machines were given one address by mistake. */
async function refusesAnotherMachine(database: Client, open: () => Promise<unknown>): Promise<void> {
  const { rows } = await database.query<{ value: string }>("select value from drover.settings where name = 'machine'")
  const set = (value: string | undefined): Promise<unknown> =>
    database.query("update drover.settings set value = $1 where name = 'machine'", [value])
  await set('another elsewhere')
  await assert.rejects(open(), /its fleets on the host local run on the machine elsewhere/)
  await set(rows[0]?.value)
}

async function versionsOf(fleet: SmallFleet): Promise<string[]> {
  return Object.values(await answers(fleet)).map(({ version }) => version)
}

/** Waits until a release has ended; gives how. Asked of the database itself: the test takes no part in the work. */
async function outcomeOf(database: Client, number: number): Promise<string> {
  const text = 'select outcome from drover.releases where number = $1 and outcome is not null'
  for (let tries = 0; tries < 600; tries++) {
    const { rows } = await database.query<{ outcome: string }>(text, [number])
    if (rows[0] !== undefined) return rows[0].outcome
    await delay(100)
  }
  throw new Error(`release ${number} has not ended`)
}

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import { labSkip } from '../../lab/needs.ts'
import { makeReady } from '../../lab/ready-host.ts'
import { seeded } from '../journal/random.ts'
import type { Random } from '../journal/random.ts'
import { Arena } from './matrix/arena.ts'
import type { Steered } from './matrix/steered.ts'

/** With which a control plane ends that finds its work taken over. */
const LOST = 70
/** Longer than the lease of 3 s. */
const OUTAGE_MS = 8_000
const ROUNDS = 2
const CUTS = 5

/** Faults at random moments of a release, where the crash matrix has its points; what is live is read from the hosts. */
describe('a release of several services to three hosts', { skip: await labSkip(), concurrency: false }, () => {
  let lab: Lab
  let arena: Arena
  /** How long a release takes here and now. */
  let wholeMs: number
  before(async () => {
    lab = await openLab({ hosts: 3 })
    await Promise.all(lab.hosts.map(makeReady))
    arena = await Arena.open(lab.hosts)
    const began = performance.now()
    await release('without a fault')
    wholeMs = performance.now() - began
  })
  after(async () => {
    await arena?.close()
    await lab?.close()
  })

  it(
    'R01: its control plane is killed at a random moment, and another one ends it',
    { timeout: 600_000 },
    async (t) => {
      const random = seeded(t)
      for (let round = 1; round <= ROUNDS; round++) {
        const { version, starts } = await committed()
        const { victim, heir } = await midway(random)

        await victim.kill()
        const killed = Date.now()
        const { outcome, problems } = await arena.ended()

        assert.equal(outcome, 'kept', problems)
        assert.deepEqual(await arena.judged({ versions: [version] }), { version })
        assert.ok(heir.pid > 0)
        const most = Math.max(...newStarts(starts, await arena.starts()).values())
        assert.ok(most <= 2, `a slot was started ${most} times`)
        t.diagnostic(
          `the work was taken over after ${await resumedMs(killed)} ms, a slot was started ${most} times at most`,
        )
        arena.version = version
      }
    },
  )

  it(
    'R02: its control plane is paused beyond its lease, and changes nothing when it wakes',
    { timeout: 600_000 },
    async (t) => {
      const random = seeded(t)
      for (let round = 1; round <= ROUNDS; round++) {
        const { version } = await committed()
        const { victim: zombie } = await midway(random)
        zombie.signal('SIGSTOP')
        await zombie.frozen()
        const { outcome, problems } = await arena.ended()
        const before = await arena.look()

        zombie.signal('SIGCONT')
        const woken = performance.now()
        const exit = await zombie.exited

        await delay(1_000)
        assert.equal(outcome, 'kept', problems)
        assert.equal(exit.code, LOST)
        assert.deepEqual(await arena.look(), before)
        assert.deepEqual(await arena.judged({ versions: [version] }), { version })
        t.diagnostic(`it ended ${Math.round(exit.at - woken)} ms after it had woken`)
        arena.version = version
      }
    },
  )

  it(
    'R03: the database is stopped at once in its midst, and it goes on once that is back',
    { timeout: 600_000 },
    async (t) => {
      const random = seeded(t)
      const { version, starts } = await committed()
      const drover = await arena.drover()
      await drover.ask({ ask: 'request', order: arena.order() })
      await delay(random.between(0, wholeMs * 0.7))

      await arena.outage(OUTAGE_MS)
      const back = performance.now()
      const { outcome, problems } = await arena.ended()

      t.diagnostic(
        `it ended ${Math.round(performance.now() - back)} ms after the database was back; all of it takes ${Math.round(wholeMs)} ms`,
      )
      assert.equal(outcome, 'kept', problems)
      assert.deepEqual(await arena.judged({ versions: [version] }), { version })
      assert.deepEqual(new Set(newStarts(starts, await arena.starts()).values()), new Set([1]))
      arena.version = version
    },
  )

  it(
    'R04: connections are cut in the midst of commands, and nothing is done twice',
    { timeout: 600_000 },
    async (t) => {
      const random = seeded(t)
      for (let round = 1; round <= ROUNDS; round++) {
        const { version, starts } = await committed()
        const drover = await arena.drover()

        await drover.ask({ ask: 'request', order: arena.order() })
        for (let cuts = 0; cuts < CUTS; cuts++) {
          await delay(random.between(0, (2 * wholeMs) / CUTS))
          await cutConnections(random)
        }
        const { outcome, problems } = await arena.ended()

        t.diagnostic(`${CUTS} cuts: ${outcome} ${problems}`)
        const live = outcome === 'kept' ? version : arena.version
        assert.match(outcome, /^(kept|restored)$/)
        assert.deepEqual(await settled(version), { version: live })
        const most = Math.max(...newStarts(starts, await arena.starts()).values())
        assert.ok(most <= 1, `a slot was started ${most} times`)
        arena.version = live
      }
    },
  )

  it('R04: of what is sent and answered 30 % is lost, and nothing is done twice', { timeout: 600_000 }, async (t) => {
    t.after(() => Promise.all(lab.hosts.map((host) => host.slowLine())))
    await Promise.all(lab.hosts.map((host) => host.slowLine({ delayMs: 1, lossPercent: 30 })))
    const { version, starts } = await committed()

    const { outcome, problems } = await arena.release(await arena.drover())

    t.diagnostic(`${outcome} ${problems}`)
    await Promise.all(lab.hosts.map((host) => host.slowLine()))
    const most = Math.max(0, ...newStarts(starts, await arena.starts()).values())
    assert.ok(most <= 1, `a slot was started ${most} times`)
    // When not even the way back could be heard of, the next release begins from what is.
    const last = outcome === 'broken' ? (await arena.release(await arena.drover())).outcome : outcome
    assert.match(last, /^(kept|unchanged|restored|refused)$/)
    const live = /^(kept|unchanged)$/.test(last) ? version : arena.version
    assert.deepEqual(await settled(version), { version: live })
    arena.version = live
  })

  /** The next version of everything, and how often each slot was started before it. */
  async function committed(): Promise<{ version: string; starts: ReadonlyMap<string, number> }> {
    const version = arena.next()
    await arena.commit(version)
    return { version, starts: await arena.starts() }
  }

  async function release(about: string): Promise<string> {
    const { version } = await committed()
    const { outcome, problems } = await arena.release(await arena.drover())
    assert.equal(outcome, 'kept', `${about}: ${problems}`)
    arena.version = version
    return version
  }

  /** Somewhere in a release: who has it, and who is there to take it over. */
  async function midway(random: Random): Promise<{ victim: Steered; heir: Steered }> {
    const both = [await arena.drover(), await arena.rival()]
    await both[0]!.ask({ ask: 'request', order: arena.order() })
    const victim = await arena.atWork()
    await delay(random.between(0, wholeMs * 0.7))
    const heir = both.find((each) => each !== victim)!
    arena.take(heir)
    return { victim, heir }
  }

  /** What is under way on the host then goes on, and nobody hears how it ended. */
  async function cutConnections(random: Random): Promise<void> {
    const host = lab.hosts[random.between(0, lab.hosts.length)]!
    await host.inside(['sh', '-c', 'pkill -KILL -u drover -x sshd || true'])
  }

  /** Once commands that nobody waits for any more have ended. */
  async function settled(version: string): Promise<unknown> {
    for (let tries = 0; ; tries++) {
      const verdict = await arena.judged({ versions: [arena.version, version] })
      if ('version' in verdict || tries === 20) return verdict
      await delay(500)
    }
  }

  async function resumedMs(killed: number): Promise<string> {
    const text = `select at from drover.release_events where body->>'kind' = 'resumed' order by id desc limit 1`
    const [row] = await arena.query<{ at: Date }>(text)
    return row === undefined || row.at.getTime() < killed ? 'no' : String(row.at.getTime() - killed)
  }
})

function newStarts(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): Map<string, number> {
  const added = [...now].map(([slot, count]) => [slot, count - (before.get(slot) ?? 0)] as const)
  return new Map(added.filter(([, count]) => count > 0))
}

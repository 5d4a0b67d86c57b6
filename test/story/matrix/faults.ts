import { setTimeout as delay } from 'node:timers/promises'
import type { LabHost } from '../../../lab/lab-host.ts'
import type { Arena } from './arena.ts'
import type { Cell, Fault } from './cells.ts'
import type { HostView } from './inspect.ts'
import type { Steered } from './steered.ts'

/** A fault under way: what a cell's function is given, and tells of. */
export interface Trial {
  readonly arena: Arena
  readonly cell: Cell
  /** Live before; to be live afterwards. */
  readonly old: string
  readonly next: string
  /** The host that a power or network cut hits. */
  readonly victim: LabHost
  /** Checks the hosts now: throws a `Neither` unless those that can be reached bear one whole version. */
  readonly check: (when: string, versions?: readonly string[]) => Promise<unknown>
}

export interface Ran {
  /** From the fault to the end of all that Drover does about it. */
  readonly ms: number
  readonly outcome: string
}

/** Longer than a lease, and than anybody needs to take over after it. */
const LEASE_MS = 3_000
/** With which a worker ends that finds its work taken over. */
const LOST = 70
/** Something else than taking over may be wrong with whoever takes longer to see that it has lost its place. */
const AWAKE_MS = 15_000
/** A service that asks another while both start may die of it, and is started again by systemd after a second. */
const BOOT_MS = 20_000

export const RUN: Readonly<Record<Fault, (trial: Trial) => Promise<Ran>>> = { kill, power, network, race, clock }

/** Ends the control plane as kill -9 does, and starts it again. */
async function kill({ arena, cell }: Trial): Promise<Ran> {
  const drover = await arena.drover()
  await drover.arm(cell.point, 'die')
  // It may be dead before it has answered.
  await Promise.race([drover.ask({ ask: 'request', order: arena.order() }).catch(() => undefined), drover.exited])
  const { at } = await within(drover.exited, `the control plane did not come to ${cell.point}`)
  const { outcome } = await arena.ended()
  return { ms: performance.now() - at, outcome }
}

/** Cuts the power of a host, and gives it back once Drover has done what it can without. */
async function power(trial: Trial): Promise<Ran> {
  const { victim } = trial
  const ran = await lose(trial, { cut: () => victim.powerCut(), mend: () => victim.powerOn() })
  await booted(trial)
  return ran
}

/**
 * Gives a host that has just been switched on the time to start what is live there. What is wrong afterwards is for the
 * last check to tell.
 */
async function booted({ check, old, next }: Trial): Promise<void> {
  for (const until = performance.now() + BOOT_MS; performance.now() < until; await delay(250)) {
    try {
      await check('after the boot', [old, next, String(Number(next) + 1)])
      return
    } catch (error) {
      if (!(error instanceof Neither)) throw error
    }
  }
}

/** Cuts the line of a host, which goes on by itself, and heals it once Drover has done what it can without. */
function network(trial: Trial): Promise<Ran> {
  const { victim } = trial
  return lose(trial, { cut: () => victim.networkCut(), mend: () => victim.networkHeal() })
}

interface Loss {
  readonly cut: () => Promise<void>
  readonly mend: () => Promise<void>
}

async function lose({ arena, cell, check }: Trial, { cut, mend }: Loss): Promise<Ran> {
  const drover = await arena.drover()
  const isMoment = !cell.point.endsWith(':before')
  const { reached } = await drover.arm(cell.point, isMoment ? 'hold' : 'tell')
  await drover.ask({ ask: 'request', order: arena.order() })
  await within(reached, `the control plane did not come to ${cell.point}`)
  const at = performance.now()
  await cut()
  if (isMoment) await drover.ask({ ask: 'go' })
  const { outcome } = await arena.ended()
  if (arena.machines.length > 1) await check(`while it is away, after the release ended ${outcome}`)
  await mend()
  await healed(arena, drover)
  return { ms: performance.now() - at, outcome }
}

/** What Drover does by itself twice a minute, until it has nothing left to do. */
async function healed(arena: Arena, drover: Steered): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    await drover.ask({ ask: 'upkeep' })
    await arena.ended()
    if ((await drover.ask<number>({ ask: 'behind' })) === 0) return
  }
}

function race(trial: Trial): Promise<Ran> {
  return trial.cell.how === 'two deploys at once' ? together(trial) : paused(trial)
}

/** Two control planes are asked for different commits at the same moment; the last of both is live in the end. */
async function together({ arena, next, check }: Trial): Promise<Ran> {
  const other = arena.next()
  const [one, two] = [await arena.commit(next), await arena.commit(other)]
  const both = [await arena.drover(), await arena.rival()] as const
  const at = performance.now()
  await Promise.all([
    both[0].ask({ ask: 'request', order: arena.order(one) }),
    both[1].ask({ ask: 'request', order: arena.order(two) }),
  ])
  const { outcome } = await arena.ended()
  const ms = performance.now() - at
  await both[1].kill()
  await check('after both', [next, other])
  return { ms, outcome }
}

/**
 * R02: a control plane freezes; another one ends its release. When it wakes, long after its lease, it changes nothing
 * and ends by itself.
 */
async function paused({ arena, cell, check }: Trial): Promise<Ran> {
  const both = [await arena.drover(), await arena.rival()] as const
  const [frozen, other] = await whoReaches(both, cell, 'freeze', () =>
    both[0].ask({ ask: 'request', order: arena.order() }),
  )
  await frozen.frozen()
  arena.take(other)
  const at = performance.now()
  await delay(LEASE_MS)
  const { outcome } = await arena.ended()
  const ms = performance.now() - at
  await check('while it is frozen')
  const before = await arena.look()

  frozen.signal('SIGCONT')

  const exit = await within(frozen.exited, 'the woken control plane went on', AWAKE_MS)
  await delay(1_000)
  const after = await arena.look()
  const changed = differences(before, after)
  if (changed.length > 0) throw new Neither(`the woken control plane changed ${changed.join(', ')}`, [before, after])
  if (exit.code !== LOST) throw new Neither(`the woken control plane ended with ${exit.code ?? exit.signal}`)
  return { ms, outcome }
}

/** The time of day jumps, for the control plane or for its database, while the release is held at the point. */
async function clock({ arena, cell }: Trial): Promise<Ran> {
  const { how = '' } = cell
  const [, sign = '', count = '', unit = ''] = /([+-])(\d+) ([hd])/.exec(how) ?? []
  const hours = (sign === '-' ? -1 : 1) * Number(count) * (unit === 'd' ? 24 : 1)
  if (how.startsWith("Drover's")) return ownClock(arena, cell, hours)
  const both = [await arena.drover(), await arena.rival()] as const
  const [holder] = await whoReaches(both, cell, 'hold', () => both[0].ask({ ask: 'request', order: arena.order() }))
  const at = performance.now()
  // A clock that went forward makes all that was noted before so much older.
  await arena.query(`update drover.workers set beat = beat - $1 * interval '1 hour'`, [hours])
  await holder.ask({ ask: 'go' })
  const { outcome } = await arena.ended()
  const ms = performance.now() - at
  await both[1].kill()
  return { ms, outcome }
}

async function ownClock(arena: Arena, cell: Cell, hours: number): Promise<Ran> {
  const drover = await arena.drover()
  const { reached } = await drover.arm(cell.point, 'hold')
  await drover.ask({ ask: 'request', order: arena.order() })
  await within(reached, `the control plane did not come to ${cell.point}`)
  const at = performance.now()
  await drover.ask({ ask: 'shift', ms: hours * 3_600_000 })
  await drover.ask({ ask: 'go' })
  const { outcome } = await arena.ended()
  const ms = performance.now() - at
  await drover.ask({ ask: 'shift', ms: 0 })
  return { ms, outcome }
}

/** Any control plane may take a release from the queue: the one that comes to the point, and then the other. */
async function whoReaches(
  both: readonly [Steered, Steered],
  { point }: Cell,
  effect: 'hold' | 'freeze',
  begin: () => Promise<unknown>,
): Promise<readonly [Steered, Steered]> {
  const armed = await Promise.all(both.map((each) => each.arm(point, effect)))
  await begin()
  const first = Promise.any(armed.map(({ reached }, index) => reached.then(() => index)))
  const index = await within(first, `no control plane came to ${point}`)
  const found = index === 0 ? both : ([both[1], both[0]] as const)
  await found[1].ask({ ask: 'disarm' })
  return found
}

/** The hosts are neither wholly old nor wholly new, or something else is not as it must be. */
export class Neither extends Error {
  readonly evidence: unknown
  constructor(message: string, evidence?: unknown) {
    super(message)
    this.evidence = evidence
  }
}

function differences(before: readonly HostView[], after: readonly HostView[]): string[] {
  return after.flatMap((view, index) => {
    const keys = Object.keys(view) as (keyof HostView)[]
    return keys
      .filter((key) => JSON.stringify(view[key]) !== JSON.stringify(before[index]?.[key]))
      .map((key) => `${key} on ${view.host}`)
  })
}

async function within<T>(work: Promise<T>, otherwise: string, ms = 120_000): Promise<T> {
  const ending = new AbortController()
  const late = delay(ms, undefined, { signal: ending.signal }).then(() => {
    throw new Error(otherwise)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    ending.abort()
  }
}

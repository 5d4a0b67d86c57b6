import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { countChanges } from '../release/plan.ts'
import type { EventBody, Phase, ReleaseOutcome, ServiceState } from '../release/records.ts'
import { entriesOf, planFor } from './testing-world.ts'
import type { Entry, World } from './testing-world.ts'

const COMMIT = { commit: '3f9c2a1d5e7b9c0a1b2c3d4e5f60718293a4b5c6', subject: 'Coupon: round half up' }

/** Tells the story of one release in memory: the events and the record of a real one, with nothing behind them. */
export async function playStory(world: World, entry: Entry, previous: Entry | undefined): Promise<void> {
  const story = storyOf(world, entry)
  const { signal } = entry.cancelled
  try {
    if (previous !== undefined && previous.release.outcome === undefined) {
      const { number, actor, requestedAt } = previous.release
      story.emit({ kind: 'waiting', for: number, actor, since: requestedAt })
      await Promise.race([previous.ended, once(signal, 'abort')])
    }
    signal.throwIfAborted()
    await forth(story)
  } catch (error) {
    if (!signal.aborted) throw error
    story.enter('undo')
    story.end('cancelled')
  }
}

interface Story {
  readonly world: World
  readonly entry: Entry
  emit(this: void, body: EventBody): void
  enter(this: void, phase: Phase): void
  pace(this: void): Promise<void>
  /** Takes services through states, one after the other. */
  through(this: void, services: readonly string[], ...states: readonly ServiceState[]): Promise<void>
  end(this: void, outcome: ReleaseOutcome, problems?: readonly Problem[]): void
}

function storyOf(world: World, entry: Entry): Story {
  const emit = (body: EventBody): void => world.log.add(entry.release, body)
  const pace = (): Promise<void> => sleep(world.paceMs, undefined, { signal: entry.cancelled.signal })
  return {
    world,
    entry,
    emit,
    pace,
    enter: (phase) => {
      entry.release = { ...entry.release, phase }
      emit({ kind: 'phase', phase })
    },
    through: async (services, ...states) => {
      for (const state of states) {
        for (const service of services) {
          const ms = state === 'built' || state === 'ready' ? { ms: world.paceMs } : {}
          emit({ kind: 'service', service, host: 'local', state, ...ms })
          await pace()
        }
      }
    },
    end: (outcome, problems = []) => {
      const live = outcome === 'kept' || (outcome === 'unchanged' && entry.release.live)
      if (live) for (const other of entriesOf(world, entry.release)) other.release = { ...other.release, live: false }
      const traffic = { requests: 4211, failed: 0, rescued: 2 }
      const endedAt = Date.now()
      entry.release = { ...entry.release, phase: 'ended', outcome, problems, traffic, endedAt, live }
      emit({ kind: 'ended', outcome, problems, traffic, ms: endedAt - entry.release.requestedAt })
    },
  }
}

async function forth(story: Story): Promise<void> {
  const { world, entry, emit, enter, pace, through, end } = story
  entry.release = { ...entry.release, startedAt: Date.now() }
  enter('source')
  await pace()
  entry.release = { ...entry.release, ...COMMIT }
  const plan = planFor(world, entry.release, entry.request)
  const changed = plan.services.filter(({ change }) => change !== 'same').map(({ service }) => service)
  enter('build')
  for (const service of changed) emit({ kind: 'output', service, line: `${service}: added 57 packages in 2s` })
  await through(changed, 'building', 'built')
  enter('plan')
  entry.release = { ...entry.release, plan }
  emit({ kind: 'plan', hash: plan.hash, counts: countChanges(plan), services: plan.services })
  if (plan.steps.length === 0) return end('unchanged')
  enter('gate')
  await pace()
  if (entry.fate === 'refused') return end('refused', refusals())
  enter('stage')
  await through(changed, 'staged')
  enter('start')
  await through(changed, 'starting')
  if (entry.fate === 'endless') await once(entry.cancelled.signal, 'abort')
  entry.cancelled.signal.throwIfAborted()
  if (entry.fate === 'never-ready') return neverReady(story, changed[0]!)
  await through(changed, 'ready')
  await live(story, changed)
}

async function live({ entry, emit, enter, pace, through, end }: Story, changed: readonly string[]): Promise<void> {
  enter('switch')
  emit({ kind: 'switched', host: 'local', services: changed.length, ms: 3 })
  entry.release = { ...entry.release, switchedAt: Date.now() }
  enter('verify')
  for (let left = 3; left >= 0; left--) {
    emit({ kind: 'watch', requests: 400 * (4 - left), failed: 0, rescued: 0, remainingMs: left * 1000 })
    await pace()
  }
  if (entry.fate === 'broken')
    return end('broken', [
      problem(
        'release/not-restored',
        'host local',
        'cannot be reached, so the set from before could not be proven live',
      ),
    ])
  enter('keep')
  await through(changed, 'live')
  end('kept')
}

function refusals(): Problem[] {
  return [
    problem(
      'hosts/disk-full',
      'host local',
      '1.2 GB are free and 3 GB are needed',
      'Free some space, or lower `keep` in drover.yaml.',
    ),
    problem('release/frozen', 'environment staging', 'is frozen until Monday'),
  ]
}

function neverReady({ emit, enter, end }: Story, service: string): void {
  const why = 'GET /health/ready answered 503 for 2 s'
  emit({ kind: 'output', service, line: 'Error: connect ECONNREFUSED 127.0.0.1:5432' })
  emit({ kind: 'service', service, host: 'local', state: 'failed', detail: why })
  enter('undo')
  end('restored', [
    problem(
      'release/not-ready',
      `service ${service}`,
      `never got ready: ${why}`,
      `See \`drover logs staging ${service}\`.`,
    ),
  ])
}

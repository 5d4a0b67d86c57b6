import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, Run, Settled, Workflow } from './engine.ts'

export type Body = (run: Run, input: number) => Promise<unknown>

/** Lets each test bring its own bodies although definitions end at the launch. */
export interface Stage {
  start(id: string, body: Body, options?: { readonly input?: number; readonly lane?: string }): Promise<void>
  /** The body of every child of this workflow. */
  cast(parent: string, body: Body): Workflow<number, unknown>
}

export function openStage(engine: Engine): Stage {
  const bodies = new Map<string, Body>()
  const scene = engine.define('scene', (run: Run, input: number) => {
    const body = bodies.get(run.id) ?? bodies.get(run.id.replace(/[^/]*$/, '*'))
    return body === undefined ? assert.fail(`no body for ${run.id}`) : body(run, input)
  })
  return {
    async start(id, body, { input = 0, ...options } = {}) {
      bodies.set(id, body)
      await engine.start(scene, id, input, options)
    },
    cast(parent, body) {
      bodies.set(`${parent}/*`, body)
      return scene
    },
  }
}

/** Says when it begins and ends; its input is how long it takes, -1 fails. */
export function recorder(log: string[]): Body {
  return (run, ms) =>
    run.step('work', async (signal) => {
      const key = run.id.split('/').at(-1)
      log.push(`${key} begins`)
      await delay(Math.max(ms, 1), undefined, { signal }).finally(() => log.push(`${key} ends`))
      if (ms < 0) throw new Error('bad')
    })
}

/** Ends its step as it meant to, also when it is cancelled. */
export function stubborn(log: string[]): Body {
  return (run, ms) =>
    run.step('work', async () => {
      log.push(`${run.id} begins`)
      await delay(ms)
      log.push(`${run.id} ends`)
    })
}

export function statuses(ends: ReadonlyMap<string, Settled<unknown>>): Record<string, string> {
  return Object.fromEntries([...ends].map(([key, end]) => [key, end.status]))
}

export function mostAtOnce(log: readonly string[]): number {
  let now = 0
  return Math.max(...log.map((line) => (now += line.endsWith('begins') ? 1 : -1)))
}

/** The end of a workflow. Gives up after 30 s, so that a hang is a failure with a name. */
export async function settled(engine: Engine, id: string): Promise<Settled<unknown>> {
  let end: Settled<unknown> | undefined
  await until(async () => (end = await engine.result(id)) !== undefined, `${id} to end`)
  return end ?? assert.fail('unreachable')
}

export async function until(condition: () => boolean | Promise<boolean>, what = 'it'): Promise<void> {
  for (const end = performance.now() + 30_000; !(await condition()); await delay(5)) {
    assert.ok(performance.now() < end, `waited 30 s for ${what}`)
  }
}

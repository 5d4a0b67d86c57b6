import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, Run } from '../../src/journal/engine.ts'
import type { PretendHosts } from './pretend-hosts.ts'

/** Which version of the program a worker is. */
export type Code = 'old' | 'step inserted' | 'step inserted with a patch'

export interface NodePlan {
  readonly key: string
  readonly needs: readonly string[]
  readonly input: { readonly host: string; readonly steps: readonly number[] }
}

/** These tests kill more often than anything that happens to a healthy step. */
const OFTEN_KILLED = { maxRecoveryAttempts: 50 }

interface ChainPlan {
  readonly name: string
  readonly durations: readonly number[]
}

interface World {
  readonly engine: Engine
  readonly hosts: PretendHosts
  readonly worker: string
  readonly code: Code
}

/** The workflows that every worker of these tests knows. */
export function defineStories(world: World): Record<string, { readonly name: string }> {
  const { engine } = world
  const node = engine.define('node', (run, input: NodePlan['input']) => playNode(world, run, input), OFTEN_KILLED)
  const chain = engine.define('chain', (run, input: ChainPlan) => playChain(run, input), OFTEN_KILLED)
  return {
    release: engine.define('release', async (run, nodes: NodePlan[]) => {
      const ends = await run.graph(node, nodes)
      return Object.fromEntries([...ends].map(([key, end]) => [key, end.status]))
    }),
    chains: engine.define('chains', async (run, chains: ChainPlan[]) => {
      const nodes = chains.map((input) => ({ key: input.name, needs: [], input }))
      const ends = await run.graph(chain, nodes)
      return Object.fromEntries([...ends].map(([key, end]) => [key, end.status === 'done' ? end.value : end]))
    }),
    approval: engine.define('approval', (run) => playApproval(run, world.code)),
    poison: engine.define('poison', async (run) => {
      await run.step('kill', async () => {
        await act(world, run, 'kill', 'victim')
        process.kill(process.pid, 'SIGKILL')
        await delay(1000)
      })
    }),
    // Long, and under way whenever the poison kills its worker.
    bystander: engine.define('bystander', async (run, ms: number) => {
      await run.step('work', (signal) => delay(ms, undefined, { signal }))
      return 'unharmed'
    }),
  }
}

/** Commands one host, step after step; each takes the given milliseconds between asking for the fence and acting. */
async function playNode(world: World, run: Run, input: NodePlan['input']): Promise<string> {
  for (const [index, ms] of input.steps.entries()) {
    await run.step(`s${index}`, () => actLate(world, { run, step: `s${index}`, host: input.host, ms }), { attempts: 2 })
  }
  return input.host
}

async function actLate(world: World, of: { run: Run; step: string; host: string; ms: number }): Promise<void> {
  const fence = await world.engine.fence()
  await delay(of.ms)
  const accepted = await world.hosts.act({
    host: of.host,
    workflow: of.run.id,
    step: of.step,
    worker: world.worker,
    fence,
  })
  if (!accepted) throw new Error(`host ${of.host} refused fence ${fence}`)
}

async function act(world: World, run: Run, step: string, host: string): Promise<void> {
  await actLate(world, { run, step, host, ms: 0 })
}

/** Each step's result names its chain and its place, so that a swapped one is seen. */
async function playChain(run: Run, input: ChainPlan): Promise<string[]> {
  const results: string[] = []
  for (const [index, ms] of input.durations.entries()) {
    // The same names in every chain: nothing but the journal keeps them apart.
    results.push(await run.step(`s${index}`, () => delay(ms, `${run.id}:${index}`)))
  }
  assert.equal(results.length, input.durations.length)
  return results
}

async function playApproval(run: Run, code: Code): Promise<string[]> {
  const done = [await run.step('build', async () => 'build')]
  const scans = code === 'step inserted' || (code === 'step inserted with a patch' && (await run.patch('scan')))
  if (scans) done.push(await run.step('scan', async () => 'scan'))
  done.push((await run.receive<string>('approval', 60_000)) ?? 'expired')
  done.push(await run.step('ship', async () => 'ship'))
  return done
}

import type { Engine, Run, Settled, Workflow, WorkflowError } from '../journal/engine.ts'
import type { Artifact } from '../build/artifact.ts'
import { Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { isPassing } from './passing.ts'
import { build } from './build.ts'
import type { Built } from './build.ts'
import type { Context } from './context.ts'
import { passGate } from './gate.ts'
import { keep } from './keep.ts'
import { migrate } from './migrate.ts'
import { planRelease } from './planning.ts'
import { unforeseen } from './record-store.ts'
import type { ReleaseRef } from './records.ts'
import { laneOf, workflowId } from './scope.ts'
import type { Scope } from './scope.ts'
import { source } from './source.ts'
import { stage } from './stage.ts'
import { start } from './start.ts'
import { sweep } from './sweep.ts'
import { switchOver } from './switch.ts'
import { tidy } from './tidy.ts'
import { poisoned, undo } from './undo.ts'
import type { Cause } from './undo.ts'
import { unchanged } from './unchanged.ts'
import { verify } from './verify.ts'

const TRIES = 3

/**
 * The story of a release. `conduct` sees one release through in its environment's lane: it runs the story, and where
 * that fails or is cancelled, the undo, which is a workflow of its own because a cancelled one may do nothing more.
 */
export function defineRelease(engine: Engine, context: Context): ReleaseWorkflows {
  const onHost = engine.define('stage', (run, node: HostNode) =>
    inStep(run, node, 'lay', (scope) => stage(scope, node.host)),
  )
  const onSlot = engine.define('start', (run, node: SlotNode) =>
    inStep(run, node, 'ready', (scope) => start(scope, node.host, node.service)),
  )
  const ofService = engine.define('build', (run, node: BuildNode) =>
    inStep(run, node, 'artifact', (scope) => build(scope, node)),
  )

  const story = engine.define('story', async (run, ref: ReleaseRef): Promise<'kept' | 'unchanged'> => {
    const step = <T>(name: string, body: (scope: Scope) => Promise<T>): Promise<T> =>
      inStep(run, { ref, holder: run.id }, name, body)
    const node = { ref, holder: run.id }

    // Which commit, and what it says of the fleet. A rollback takes both from the records.
    const sourced = await step('source', async (scope) => source(scope, (await context.records.find(ref)).order))
    // Each service to an artifact; what was built before is found, not built.
    const builds = sourced.build.map((service) => ({
      key: `build:${service}`,
      needs: [],
      input: { ...node, service, commit: sourced.commit! },
    }))
    const built = allDone(
      await run.graph<BuildNode, Built>(ofService, builds, { limit: context.buildConcurrency, cancelOnFailure: true }),
    )
    // What is wanted against what the hosts report.
    const plan = await step('plan', (scope) =>
      planRelease(scope, { ...sourced.planning, artifacts: { ...sourced.artifacts, ...artifactsOf(built) } }),
    )
    if (plan.nothing) {
      await step('unchanged', unchanged)
      return 'unchanged'
    }
    // Every reason not to, at once; then the permit, whose number the hosts compare.
    await step('gate', passGate)
    // All hosts together, or so many at a time, each batch judged before the next.
    for (const [index, batch] of plan.batches.entries()) {
      // Files beside the live ones. From here on there is something to undo.
      const hosts = batch.hosts.map((host) => ({ key: `stage:${host}`, needs: [], input: { ...node, host } }))
      allDone(await run.graph(onHost, hosts))
      // Once per database, before any slot of the new set starts.
      for (const service of batch.migrations) await step(`migrate:${service}`, (scope) => migrate(scope, service))
      // New slots beside the live ones, each as soon as the slots that it needs are ready.
      const slots = batch.starts.map(({ key, host, service, needs }) => ({
        key,
        needs,
        input: { ...node, host, service },
      }))
      allDone(await run.graph(onSlot, slots, { cancelOnFailure: true }))
      // The one moment in which anything that users see changes.
      const last = index === plan.batches.length - 1
      const switchedAt = await step(`switch${batch.name}`, (scope) => switchOver(scope, { ...batch, last }))
      // Smoke, then real traffic against the time before, with the old slots still answering for what fails.
      await step(`verify${batch.name}`, (scope) => verify(scope, batch.hosts, switchedAt))
    }
    await step('keep', keep)
    return 'kept'
  })

  const wayBack = engine.define('undo', (run, input: { ref: ReleaseRef; cause: Cause }) =>
    inStep(run, { ref: input.ref, holder: run.id }, 'undo', (scope) => undo(scope, input.cause)),
  )
  const sweeping = engine.define('sweep', (run, ref: ReleaseRef) =>
    inStep(run, { ref, holder: run.id }, 'sweep', sweep),
  )
  const afterWarm = engine.define('after-warm', async (run, input: { ref: ReleaseRef; at: number }) => {
    await run.sleepUntil(input.at)
    await run.step('sweep', () =>
      engine.start(sweeping, `${workflowId(input.ref)}/sweep`, input.ref, { lane: laneOf(input.ref) }),
    )
  })

  const tidying = engine.define('tidy', (run, ref: ReleaseRef) => inStep(run, { ref, holder: run.id }, 'tidy', tidy))

  const release = engine.define('release', async (run, ref: ReleaseRef) => {
    const cancelledBefore = await run.step(
      'begin',
      async () => (await context.records.find(ref)).cancelledBy !== undefined,
    )
    const told: Settled<'kept' | 'unchanged'> = cancelledBefore
      ? { status: 'cancelled' }
      : await run.child(story, 'story', ref)
    if (told.status !== 'done') {
      const { phase, cancelledBy } = await run.step('cause', () =>
        context.records.find(ref).then(({ phase, cancelledBy }) => ({ phase, cancelledBy })),
      )
      const problems = told.status === 'failed' ? problemsOf(told.error) : []
      const cause: Cause = {
        phase,
        ...(cancelledBy === undefined ? { cancelled: false, problems } : { cancelled: true, problems: [] }),
      }
      const undone = await run.child(wayBack, 'undo', { ref, cause })
      if (undone.status !== 'done') await run.step('broken', () => giveUp(context, ref, undone, cause))
      return
    }
    if (told.value === 'kept') {
      const at =
        (await run.now()) +
        (await run.step('warm', async () => (await context.records.find(ref)).blueprint?.environment.warmMs ?? 0))
      await run.step('after', () => engine.start(afterWarm, `${workflowId(ref)}/after-warm`, { ref, at }))
    }
  })

  return { release, tidy: tidying }

  /**
   * One recorded step with its scope, tried again when its connection to a host was cut, or when the hosts have learnt of
   * a higher number than it had asked for. The holder is the workflow that has the permit, the same for all its
   * children.
   */
  function inStep<T>(run: Run, node: Node, name: string, body: (scope: Scope) => Promise<T>): Promise<T> {
    return run.step(name, (signal) => body({ context, ref: node.ref, holder: node.holder, signal }), {
      attempts: TRIES,
      retryIf: isPassing,
    })
  }
}

export interface ReleaseWorkflows {
  readonly release: Workflow<ReleaseRef, void>
  /** For an environment that may not have been released for long; the reference names its live release. */
  readonly tidy: Workflow<ReleaseRef, void>
}

interface Node {
  readonly ref: ReleaseRef
  readonly holder: string
}
type HostNode = Node & { readonly host: string }
type SlotNode = HostNode & { readonly service: string }
export type BuildNode = Node & { readonly service: string; readonly commit: string }

function allDone<T>(results: ReadonlyMap<string, Settled<T>>): T[] {
  const failures = [...results.values()].filter((result) => result.status === 'failed')
  const problems = failures.flatMap((result) => problemsOf(result.error))
  if (problems.length > 0) throw new Refusal(problems, 'failed-restored')
  return [...results.values()].flatMap((result) => (result.status === 'done' ? [result.value] : []))
}

/** The problems of a failure as they were, or one that tells of an error that nobody foresaw. */
function problemsOf(error: WorkflowError): readonly Problem[] {
  if (error.poison === true) return [poisoned()]
  return error.problems ?? [unforeseen(new Error(error.message))]
}

function artifactsOf(built: readonly Built[]): Record<string, Artifact> {
  return Object.fromEntries(built.map(({ artifact }) => [artifact.service, artifact]))
}

/** Even the undo failed as a whole: said plainly, with everything that is known. */
function giveUp(context: Context, ref: ReleaseRef, undone: Settled<void>, cause: Cause): Promise<void> {
  const last = undone.status === 'failed' ? problemsOf(undone.error) : []
  return context.records.end(ref, { outcome: 'broken', problems: [...cause.problems, ...last] })
}

import type { Engine, Workflow } from '../journal/engine.ts'
import { refusal } from '../problem/problem.ts'
import { beginAhead } from './ahead.ts'
import { beginLooks } from './early-looks.ts'
import type { Context } from './context.ts'
import type { ControlPlane } from './control-plane.ts'
import { environmentDrift } from './environment-drift.ts'
import { followEvents } from './follow-events.ts'
import { logLines } from './logs.ts'
import { preview } from './preview.ts'
import type { Release, ReleaseRef, Request, EnvironmentRef } from './records.ts'
import { workflowId, laneOf } from './scope.ts'
import { environmentStatus } from './status.ts'
import { teardown } from './teardown.ts'

export interface ControlPlaneParts {
  readonly context: Context
  readonly engine: Engine
  readonly release: Workflow<ReleaseRef, void>
  /** Calls back whenever a release event was written anywhere; with its `fleet/environment/number`, or nothing when some may have been missed. */
  readonly onEvent: (callback: (release: string | undefined) => void) => () => void
}

export function makeControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { context, engine } = parts
  const { records } = context
  return {
    plan: (environment, request) => preview(context, environment, request.order),
    request: (environment, request) => queue(parts, environment, request),
    cancel: async (ref, actor) => {
      const before = await records.find(ref)
      if (!(await records.markCancelled(ref, actor))) {
        throw refusal(
          'release/ended',
          `release ${ref.number}`,
          `has ended already: ${before.outcome}`,
          before.outcome === 'kept' ? `\`drover rollback ${ref.environment}\` goes back.` : undefined,
        )
      }
      await records.emit(ref, { kind: 'note', text: `${actor} asked to cancel it, in the step ${before.phase}` })
      await engine.cancel(`${workflowId(ref)}/story`)
      return records.find(ref)
    },
    release: (ref) => records.find(ref),
    releases: (environment, options) => records.list(environment, options),
    events: (ref, options) => followEvents(records, parts.onEvent, ref, options),
    status: (environment) => environmentStatus(context, environment),
    drift: (environment, options) => environmentDrift(context, environment, options),
    environments: () => records.environments(),
    logs: (environment, options) => logLines(context, environment, options),
    teardown: (environment, actor) => teardown(context, environment, actor),
  }
}

async function queue(
  { context, engine, release: workflow }: ControlPlaneParts,
  environment: EnvironmentRef,
  request: Request,
): Promise<Release> {
  const { records } = context
  const repository =
    request.order.goal === 'deploy' ? request.order.repository : await records.repository(environment.fleet)
  if (repository === undefined) {
    throw refusal(
      'release/unknown-fleet',
      `fleet ${environment.fleet}`,
      'nothing of it has been released yet',
      `Start with \`drover deploy ${environment.environment}\`.`,
    )
  }
  const release = await records.add(environment, repository, request)
  beginAhead(context, release, request.order)
  const [first] = (await records.open(environment)).filter((other) => other.number !== release.number)
  if (first === undefined) beginLooks(context, release, request.order)
  else
    await records.emit(release, {
      kind: 'waiting',
      for: first.number,
      actor: first.actor,
      since: first.startedAt ?? first.requestedAt,
    })
  const { fleet, environment: name, number } = release
  await engine.start(workflow, workflowId(release), { fleet, environment: name, number }, { lane: laneOf(environment) })
  return release
}

/**
 * Releases that were recorded but never reached the engine, because the process died in between, are started now.
 * Starting one that the engine knows does nothing.
 */
export async function startForgotten({ context, engine, release: workflow }: ControlPlaneParts): Promise<void> {
  for (const { fleet, environment, number } of await context.records.open()) {
    const ref = { fleet, environment, number }
    await engine.start(workflow, workflowId(ref), ref, { lane: laneOf(ref) })
  }
}

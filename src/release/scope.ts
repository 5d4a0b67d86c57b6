import { createHmac, randomBytes } from 'node:crypto'
import { layout } from '../hosts/layout.ts'
import type { Layout } from '../hosts/layout.ts'
import type { Host } from '../hosts/host.ts'
import type { Fence } from '../hosts/operation.ts'
import type { HostDefinition } from '../manifest/fleet.ts'
import { refusal } from '../problem/problem.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { Router } from '../routers/router.ts'
import { Secret } from '../secrets/secret.ts'
import type { Context } from './context.ts'
import type { StoredRelease } from './record-store.ts'
import type { Blueprint, EventBody, Order, Phase, ReleaseRef } from './records.ts'

/**
 * One release as one try of one of its steps sees it: what is recorded of it, where it happens, and the right to change
 * that.
 */
export interface Scope {
  readonly context: Context
  readonly ref: ReleaseRef
  /** Id of the workflow that holds, or must hold, the permit. */
  readonly holder: string
  readonly signal: AbortSignal
}

/** An environment's place on one host. */
export interface Site {
  readonly definition: HostDefinition
  readonly host: Host
  readonly runtime: Runtime
  readonly router: Router
  readonly root: string
  readonly layout: Layout
}

export function laneOf(ref: { readonly fleet: string; readonly environment: string }): string {
  return `${ref.fleet}/${ref.environment}`
}

export function workflowId(ref: ReleaseRef): string {
  return `${laneOf(ref)}/${ref.number}`
}

/** Enters a phase: recorded for listings, told to those who watch, and a resumption after a crash is said. */
export async function enter(scope: Scope, phase: Phase): Promise<StoredRelease> {
  const { records, worker } = scope.context
  const release = await records.find(scope.ref)
  if (release.cancelledBy !== undefined && phase !== 'undo') {
    throw refusal('release/cancelled', `release ${release.number}`, `${release.cancelledBy} cancelled it`)
  }
  if (release.phase === phase && release.worker === worker) return release
  // Of the many steps of one phase only the first has something to say.
  const before = await records.enter(scope.ref, { phase, worker })
  if (before?.worker !== undefined && before.worker !== worker) {
    await records.emit(scope.ref, { kind: 'resumed', worker })
  }
  if (before !== undefined && before.phase !== phase) await records.emit(scope.ref, { kind: 'phase', phase })
  return release
}

export function emit(scope: Scope, body: EventBody): Promise<void> {
  return scope.context.records.emit(scope.ref, body)
}

/** The fleet as the release has it; only after the source step. */
export function blueprintOf(release: StoredRelease): Blueprint {
  if (release.blueprint === undefined) throw new Error(`release ${workflowId(release)} has no blueprint yet`)
  return release.blueprint
}

/** The environment's places, in the order of its hosts. */
export function sites(
  context: Context,
  fleet: string,
  { environment, hosts }: Pick<Blueprint, 'environment' | 'hosts'>,
): Site[] {
  const lane = { fleet, environment: environment.name }
  return hosts.map((definition) => {
    const root = definition.root ?? context.root(fleet, environment, definition)
    return {
      definition,
      host: context.host(definition),
      runtime: context.runtime(environment.runtime, lane),
      router: context.router(environment.router, lane),
      root,
      layout: layout(root),
    }
  })
}

/** The places that a release changes: all of its environment but those that it leaves out, or the one that it heals. */
export function sitesOf(context: Context, release: StoredRelease): Site[] {
  return sites(context, release.fleet, blueprintOf(release)).filter(({ host }) => concerns(release.order, host.name))
}

export function concerns(order: Order, host: string): boolean {
  return order.goal === 'heal' ? order.host === host : order.without?.includes(host) !== true
}

export function siteOf(all: readonly Site[], host: string): Site {
  const site = all.find((candidate) => candidate.host.name === host)
  if (site === undefined) throw refusal('release/unknown-host', `host ${host}`, 'is not a host of this environment')
  return site
}

const numbers = new WeakMap<Scope, Promise<number>>()

/**
 * The fence for the acts of one try of a step. The number is asked for once in it: a workflow that lost its permit stops
 * at its next step, and what it still has under way is refused by the hosts.
 */
export async function fenceAt(scope: Scope, site: Site): Promise<Fence> {
  const number = numbers.get(scope) ?? scope.context.permits.current(scope.ref, scope.holder)
  numbers.set(scope, number)
  return { root: site.root, number: await number }
}

/** Makes this workflow the one that may change the hosts. */
export async function takePermit(scope: Scope): Promise<void> {
  const number = scope.context.permits.take(scope.ref, scope.holder)
  numbers.set(scope, number)
  await number
}

/**
 * The word by which the new set of a release can be reached before it is live. It follows from Drover's own key, so
 * that nothing needs to be kept and a resumed step knows it again.
 */
export async function setToken(context: Context, ref: ReleaseRef): Promise<Secret> {
  return new Secret(
    createHmac('sha256', await ownKey(context))
      .update(`set ${workflowId(ref)}`)
      .digest('hex')
      .slice(0, 40),
  )
}

const keys = new WeakMap<Context, Promise<string>>()

/** Drover's own key for fingerprints and tokens, made once per control plane database. */
export function ownKey(context: Context): Promise<string> {
  const known = keys.get(context)
  if (known !== undefined) return known
  const key = context.records.setting('own-key', () => randomBytes(32).toString('hex'))
  keys.set(context, key)
  key.catch(() => keys.delete(context))
  return key
}

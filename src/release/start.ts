import { awaitReady } from '../runtimes/ready.ts'
import { planned } from './stage.ts'
import { emit, enter, fenceAt, setToken, siteOf, sitesOf } from './scope.ts'
import { tellingFailure } from './service-failure.ts'
import type { Scope, Site } from './scope.ts'
import { movesOn, slotSpec } from './slots.ts'
import type { StoredRelease } from './record-store.ts'

/** Starts one service's new slot on one host, or finds that it runs already, and waits until it has proven ready. */
export async function start(scope: Scope, host: string, service: string): Promise<void> {
  const release = await enter(scope, 'start')
  const site = siteOf(sitesOf(scope.context, release), host)
  const { plan } = planned(release)
  const began = Date.now()
  await emit(scope, { kind: 'service', service, host, state: 'starting' })
  await startAndWait({ scope, site, release, service, slot: movesOn(plan, host).beside.get(service)! })
  await emit(scope, { kind: 'service', service, host, state: 'ready', ms: Date.now() - began })
}

export interface StartInput {
  readonly scope: Scope
  readonly site: Site
  readonly release: StoredRelease
  readonly service: string
  readonly slot: 'a' | 'b'
}

export function startAndWait(input: StartInput): Promise<void> {
  const who = { service: input.service, host: input.site.host.name }
  return tellingFailure(input.scope, who, () => bringUp(input))
}

async function bringUp({ scope, site, release, service, slot }: StartInput): Promise<void> {
  const member = planned(release).set[service]!
  const token = await setToken(scope.context, scope.ref)
  const spec = slotSpec({ layout: site.layout, member, slot, release: release.number, token })
  await site.runtime.start(site.host, await fenceAt(scope, site), [spec])
  await awaitReady({
    host: site.host,
    runtime: site.runtime,
    root: site.root,
    slot: { service, slot },
    readiness: member.definition.ready,
    signal: scope.signal,
    ...(spec.port === undefined ? {} : { port: spec.port }),
  })
}

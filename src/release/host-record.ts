import type { Service } from '../manifest/fleet.ts'
import { runsOnce } from '../manifest/placement.ts'
import type { Route, RouteSet } from '../routers/router.ts'
import type { StoredRelease } from './record-store.ts'
import type { SetMember } from './records.ts'
import { blueprintOf } from './scope.ts'
import { runsOn } from './slots.ts'
import type { Runnable } from './slots.ts'
import { planned } from './stage.ts'

/**
 * What a host itself knows of a release, `releases/<number>.json`: enough to start its set again there when nobody has
 * anything but the host. Names of values, and no values.
 */
export interface HostRecord {
  /** Raised when an older Drover could not read it any more. */
  readonly format: 1
  readonly fleet: string
  readonly environment: string
  readonly number: number
  readonly commit?: string
  readonly runtime: string
  readonly router: string
  /** What runs on this host. */
  readonly services: Readonly<Record<string, HostMember>>
  /** Which slot of each service was live. */
  readonly choices: RouteSet['choices']
  readonly routes: readonly Route[]
}

export interface HostMember extends Runnable {
  readonly definition: Pick<Service, 'port' | 'slotPorts' | 'drainMs' | 'limits' | 'ready' | 'needs'>
  /** Must not run twice, or serves nothing: it is stopped before it is started. */
  readonly once: boolean
}

export interface HostPart {
  readonly host: string
  readonly choices: RouteSet['choices']
  readonly routes: readonly Route[]
}

export function hostRecord(release: StoredRelease, { host, choices, routes }: HostPart): string {
  const { fleet, environment, number, commit } = release
  const { runtime, router } = blueprintOf(release).environment
  const members = Object.entries(planned(release).set).filter(([, member]) => runsOn(member, host))
  const record: HostRecord = {
    format: 1,
    fleet,
    environment,
    number,
    ...(commit === undefined ? {} : { commit }),
    runtime,
    router,
    services: Object.fromEntries(members.map(([name, member]) => [name, hostMember(member)])),
    choices,
    routes,
  }
  return `${JSON.stringify(record, null, 2)}\n`
}

function hostMember({ artifact, definition, config, release }: SetMember): HostMember {
  const { service, id, start, cwd, environment } = artifact
  const { port, slotPorts, drainMs, limits, ready, needs } = definition
  return {
    artifact: { service, id, start, cwd, environment },
    definition: {
      ...(port === undefined ? {} : { port }),
      ...(slotPorts === undefined ? {} : { slotPorts }),
      drainMs,
      ...(limits === undefined ? {} : { limits }),
      ready,
      needs,
    },
    config,
    release,
    once: runsOnce(definition),
  }
}

import { join } from 'node:path'
import type { SlotName } from '../manifest/fleet.ts'

/**
 * Where things lie on a host, for one environment of one fleet. Pure: paths only.
 *
 *     <root>/fence, fence.lock, fence.gate the highest fence number seen, and the locks that guard it
 *     <root>/work/                         half-made things of commands under way, 0700
 *     <root>/artifacts/<service>/<id>/     immutable build output, named by content
 *     <root>/artifacts/<service>/.<id>.inventory  what was laid there, kept by uploads
 *     <root>/scratch/<service>/            a copy of an artifact, while a command runs in it that may write there
 *     <root>/env/<service>/<config>.env    0600, immutable, named by content
 *     <root>/slots/<service>/<a|b>/        what the runtime lays: what runs here, how it is started, its log
 *     <root>/router/                       the router's own folder
 *     <root>/releases/<number>.json        what Drover released here, newest kept ones
 */
export interface Layout {
  readonly root: string
  readonly fence: string
  readonly fenceLock: string
  readonly artifacts: string
  readonly router: string
  readonly releases: string
  artifact(service: string, id: string): string
  scratch(service: string): string
  environment(service: string, config: string): string
  slot(service: string, slot: SlotName): string
}

export function layout(root: string): Layout {
  return {
    root,
    fence: join(root, 'fence'),
    fenceLock: join(root, 'fence.lock'),
    artifacts: join(root, 'artifacts'),
    router: join(root, 'router'),
    releases: join(root, 'releases'),
    artifact: (service, id) => join(root, 'artifacts', service, id),
    scratch: (service) => join(root, 'scratch', service),
    environment: (service, config) => join(root, 'env', service, `${config}.env`),
    slot: (service, slot) => join(root, 'slots', service, slot),
  }
}
